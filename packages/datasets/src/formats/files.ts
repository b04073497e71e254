import { constants } from 'node:buffer';
import { basename } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { BulwarkError } from '@bulwark/core';
import { createBudget, placeholderOf, readRegularFile } from '@bulwark/core/files';
import { corrupt } from '../corrupt.js';

/** A Buffer as what it is without Node's own `slice`, which shares memory where Uint8Array's copies. */
export const plainBytes = (buffer: Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);

/** Refuses a file that stands for another: a pointer of git-lfs, a page of a cloud drive. @throws BulwarkError DATA_MISSING */
export function checkPresence(path: string, start: Uint8Array): void {
  const found = start.length > 0 ? placeholderOf(start) : undefined;
  if (found) throw new BulwarkError('DATA_MISSING', `${path} is ${found.is}`, { hint: found.hint });
}

/** The bytes of a file; `.gz` and `.br` are decompressed, within what reading a file of this size may take. */
export function readBytes(path: string): Uint8Array {
  const raw = readRaw(path);
  checkPresence(path, raw);
  if (path.endsWith('.gz')) return decompress(path, raw, gunzipSync);
  if (path.endsWith('.br')) return decompress(path, raw, brotliDecompressSync);
  return raw;
}

function readRaw(path: string): Uint8Array {
  try {
    return plainBytes(readRegularFile(path));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw corrupt({ file: path }, `cannot be read: ${message}`, { cause });
    throw new BulwarkError('DATA_MISSING', `${path} does not exist`, { hint: 'check the path', cause });
  }
}

/** Decompresses what a file holds. @throws BulwarkError DATA_CORRUPT if it is damaged, or unpacks to more than reading it may take */
export function decompress(
  path: string,
  raw: Uint8Array,
  inflate: (raw: Uint8Array, options: { maxOutputLength: number }) => Uint8Array,
): Uint8Array {
  const { bytesLeft } = createBudget({ bytes: raw.length, refuse: (why) => corrupt({ file: basename(path) }, why) });
  try {
    return plainBytes(inflate(raw, { maxOutputLength: Math.min(bytesLeft, constants.MAX_LENGTH) }));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw code === 'ERR_BUFFER_TOO_LARGE'
      ? corrupt(
          { file: basename(path) },
          `its ${raw.length} bytes unpack to more than ${bytesLeft}, which is refused`,
          {
            hint: 'unpack it yourself, if you trust it',
            cause,
          },
        )
      : corrupt({ file: basename(path) }, `cannot be decompressed: ${message}`, { cause });
  }
}
