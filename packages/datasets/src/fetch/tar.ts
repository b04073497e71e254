import { corrupt, needBytes } from '../corrupt.js';

const block = 512;

const text = (bytes: Uint8Array) => {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
};

const octal = (bytes: Uint8Array) => Number.parseInt(text(bytes).trim() || '0', 8);

/**
 * The regular files of a tar archive (ustar or old GNU, as data sets are published) by path. Paths are only compared with wanted names,
 * never used to write.
 */
export function readTar(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (let at = 0; ;) {
    needBytes(bytes, { from: at, count: block }, { file });
    const header = bytes.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) return files;
    const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
    if (octal(header.subarray(148, 156)) !== sum)
      throw corrupt({ file, offset: at }, 'the checksum of an archive header does not match');
    const size = octal(header.subarray(124, 136));
    needBytes(bytes, { from: at + block, count: size }, { file });
    const type = header[156]!;
    const prefix =
      text(header.subarray(257, 262)) === 'ustar' && header[262] === 0 ? text(header.subarray(345, 500)) : '';
    const name = `${prefix ? `${prefix}/` : ''}${text(header.subarray(0, 100))}`;
    if (type === 0 || type === 0x30)
      files.set(name.replace(/^\.\//, ''), bytes.subarray(at + block, at + block + size));
    at += block + Math.ceil(size / block) * block;
  }
}
