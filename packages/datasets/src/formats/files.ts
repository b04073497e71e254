import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { BulwarkError } from '@bulwark/core';
import { corrupt } from '../corrupt.js';

/** A Buffer as what it is without Node's own `slice`, which shares memory where Uint8Array's copies. */
export const plainBytes = (buffer: Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);

/** The bytes of a file; `.gz` and `.br` are decompressed. */
export function readBytes(path: string): Uint8Array {
  const raw = readRaw(path);
  if (path.endsWith('.gz')) return decompress(path, () => gunzipSync(raw));
  if (path.endsWith('.br')) return decompress(path, () => brotliDecompressSync(raw));
  return raw;
}

function readRaw(path: string): Uint8Array {
  try {
    return plainBytes(readFileSync(path));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw corrupt({ file: path }, `cannot be read: ${message}`, { cause });
    throw new BulwarkError('DATA_MISSING', `${path} does not exist`, { cure: 'check the path', cause });
  }
}

function decompress(path: string, inflate: () => Uint8Array): Uint8Array {
  try {
    return plainBytes(inflate());
  } catch (cause) {
    throw corrupt({ file: basename(path) }, `cannot be decompressed: ${(cause as Error).message}`, { cause });
  }
}
