import { corrupt, needBytes } from '../corrupt.js';

const block = 512;

const text = (bytes: Uint8Array) => {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
};

/** A number of a header: octal digits. `parseInt` would also take a minus, and what begins with a digit. */
function octal(bytes: Uint8Array, place: { file: string; offset: number }): number {
  const digits = text(bytes).trim();
  if (!/^[0-7]*$/.test(digits)) throw corrupt(place, `a number of an archive header is ${JSON.stringify(digits)}`);
  return Number.parseInt(digits || '0', 8);
}

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
    if (octal(header.subarray(148, 156), { file, offset: at + 148 }) !== sum)
      throw corrupt({ file, offset: at }, 'the checksum of an archive header does not match');
    const size = octal(header.subarray(124, 136), { file, offset: at + 124 });
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
