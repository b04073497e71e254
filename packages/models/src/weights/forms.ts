/** Files that are taken for weights, by how they begin, and what to do about each. */
const strangers: readonly { begins: RegExp; is: string; cure: string }[] = [
  {
    begins: /^version https:\/\/git-lfs/,
    is: 'a pointer of git-lfs, not the file itself',
    cure: 'run `git lfs pull` where it comes from, or download the file by its link',
  },
  {
    begins: /^\s*(?:<!doctype html|<html|<\?xml[^>]*>\s*<html|<head)/i,
    is: 'a web page, not a checkpoint',
    cure: 'a link of a cloud drive gives a page that asks before it downloads: download the file in a browser and pass that',
  },
  {
    begins: /^\s*<\?xml/i,
    is: 'an answer of a server in XML, not a checkpoint',
    cure: 'the link has expired or asks for a login: download the file in a browser and pass that',
  },
  {
    begins: /^\x89HDF\r\n/,
    is: 'an HDF5 file of Keras',
    cure: 'convert it: tensorflowjs_converter --input_format=keras',
  },
  { begins: /^\x1f\x8b/, is: 'compressed by gzip', cure: 'unpack it with gunzip and pass what is inside' },
  { begins: /^7z\xbc\xaf/, is: 'a 7z archive', cure: 'unpack it and pass what is inside' },
  { begins: /^Rar!/, is: 'a rar archive', cure: 'unpack it and pass what is inside' },
  { begins: /^\x93NUMPY/, is: 'an array of numpy', cure: 'pass a file that torch.save or safetensors has written' },
  { begins: /^\x08.\x12.{0,3}pytorch/s, is: 'an ONNX model', cure: 'pass the weights that it was exported from' },
  { begins: /^[^]{257}ustar/, is: 'a tar archive', cure: 'unpack it and pass what is inside' },
];

/** What a file is instead of weights; undefined if nothing gives it away. */
export function strangerOf(bytes: Uint8Array): { is: string; cure: string } | undefined {
  const start = Buffer.from(bytes.subarray(0, 512))
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '');
  if (bytes.length === 0) return { is: 'empty', cure: 'get the file again' };
  return strangers.find(({ begins }) => begins.test(start));
}
