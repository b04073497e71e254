import { placeholderOf } from '@bulwark/core/files';

/** Files that are taken for weights, by how they begin, and what to do about each. */
const strangers: readonly { begins: RegExp; is: string; hint: string }[] = [
  {
    begins: /^\x89HDF\r\n/,
    is: 'an HDF5 file of Keras',
    hint: 'convert it: tensorflowjs_converter --input_format=keras',
  },
  { begins: /^\x1f\x8b/, is: 'compressed by gzip', hint: 'unpack it with gunzip and pass what is inside' },
  { begins: /^7z\xbc\xaf/, is: 'a 7z archive', hint: 'unpack it and pass what is inside' },
  { begins: /^Rar!/, is: 'a rar archive', hint: 'unpack it and pass what is inside' },
  { begins: /^\x93NUMPY/, is: 'an array of numpy', hint: 'pass a file that torch.save or safetensors has written' },
  {
    // ir_version, then the producer's name: pytorch, Bulwark, tf2onnx, ...
    begins: /^\x08[\x01-\x1f]\x12[\x01-\x40][\x20-\x7e]/,
    is: 'an ONNX model',
    hint: 'run it with ONNX Runtime, or pass the weights that it was exported from',
  },
  { begins: /^[^]{257}ustar/, is: 'a tar archive', hint: 'unpack it and pass what is inside' },
];

/** What a file is instead of weights; undefined if nothing gives it away. */
export function strangerOf(bytes: Uint8Array): { is: string; hint: string } | undefined {
  const start = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  return placeholderOf(bytes) ?? strangers.find(({ begins }) => begins.test(start));
}
