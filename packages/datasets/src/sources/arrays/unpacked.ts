import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { createBudget } from '@bulwark/core/files';
import { corrupt } from '../../corrupt.js';
import { dataRoot } from '../../folder.js';
import { fileSource, type ByteSource } from '../../formats/byte-source.js';
import type { ZipEntry } from '../../formats/zip-directory.js';

/** Counts and checks what passes through. */
function checking(entry: ZipEntry, file: string): Transform {
  let crc = 0;
  let length = 0;
  const wrong = (why: string) => corrupt({ file: `${file}:${entry.name}` }, why);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      crc = zlib.crc32(chunk, crc);
      done(length > entry.size ? wrong(`unpacks to more than the ${entry.size} bytes it claims`) : null, chunk);
    },
    flush(done) {
      done(length === entry.size && crc === entry.crc ? null : wrong('its CRC-32 checksum does not match'));
    },
  });
}

/**
 * A compressed array that is too large for memory, unpacked once to a file in the data folder and read from there; the next run finds it.
 * @throws BulwarkError DATA_CORRUPT; errors of the file system
 */
export async function unpackedArray(path: string, entry: ZipEntry, tell: (text: string) => void): Promise<ByteSource> {
  const { size: packedSize } = statSync(path);
  createBudget({ bytes: packedSize, refuse: (why) => corrupt({ file: path }, why) }).allocate(entry.size, entry.name);
  const key = createHash('sha256')
    .update(`${entry.name} ${entry.size} ${entry.crc} ${entry.packed}`)
    .digest('hex')
    .slice(0, 24);
  const folder = join(dataRoot(), 'unpacked');
  const target = join(folder, `${key}.npy`);
  if (!(existsSync(target) && statSync(target).size === entry.size)) {
    tell(
      `${path}: ${entry.name} is compressed and has ${(entry.size / 1e9).toFixed(1)} GB; it is unpacked once, to ${target}`,
    );
    mkdirSync(folder, { recursive: true });
    const partial = `${target}.${process.pid}.tmp`;
    try {
      await pipeline(
        createReadStream(path, { start: entry.start, end: entry.start + entry.packed - 1 }),
        zlib.createInflateRaw(),
        checking(entry, path),
        createWriteStream(partial),
      );
      renameSync(partial, target);
    } catch (cause) {
      rmSync(partial, { force: true });
      if ((cause as Error).name === 'BulwarkError') throw cause;
      throw corrupt({ file: path }, `${entry.name} cannot be unpacked to ${target}: ${(cause as Error).message}`, {
        cause,
        hint: 'free disk space, or set BULWARK_DATA to a folder on a larger disk; np.savez without compression needs no unpacking',
      });
    }
  }
  return fileSource(target);
}
