import { fstatSync, openSync, readSync } from 'node:fs';
import { constants } from 'node:fs';
import { basename } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { corrupt } from '../corrupt.js';
import { checkPresence } from './files.js';

/** Bytes that are read where they are needed: a file of any size, or what is in memory. */
export interface ByteSource {
  /** Name for messages. */
  readonly file: string;
  readonly size: number;
  /** Text that changes whenever the content is another, as far as that can be told without reading all of it. */
  readonly identity: string;
  /** Is all of it in memory? */
  readonly inMemory: boolean;
  /** A copy, or a view of memory. @throws BulwarkError DATA_CORRUPT beyond the end */
  read(from: number, count: number): Uint8Array;
  /** Copies to `target` from `at` on. */
  copy(target: Uint8Array, place: { at: number; from: number; count: number }): void;
}

function checkRange(source: Pick<ByteSource, 'file' | 'size'>, from: number, count: number): void {
  if (!(from >= 0 && count >= 0 && from + count <= source.size))
    throw corrupt(
      { file: source.file, offset: Math.min(from, source.size) },
      `truncated: ${count} bytes are expected here, ${Math.max(0, source.size - from)} are left`,
    );
}

/** Bytes in memory as a source. */
export function memorySource(bytes: Uint8Array, file: string): ByteSource {
  const source = { file, size: bytes.length, identity: 'memory', inMemory: true };
  const read = (from: number, count: number) => {
    checkRange(source, from, count);
    return bytes.subarray(from, from + count);
  };
  return { ...source, read, copy: (target, { at, from, count }) => target.set(read(from, count), at) };
}

/** A regular file as a source; it stays open as long as the process runs. @throws BulwarkError DATA_MISSING, DATA_CORRUPT */
export function fileSource(path: string): ByteSource {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw corrupt({ file: path }, `cannot be read: ${message}`, { cause });
    throw new BulwarkError('DATA_MISSING', `${path} does not exist`, { hint: 'check the path', cause });
  }
  const found = fstatSync(descriptor);
  if (!found.isFile()) throw corrupt({ file: path }, 'is no regular file', { hint: 'name a file' });
  const source = { file: basename(path), size: found.size, inMemory: false, identity: `${found.size} bytes` };
  const copy: ByteSource['copy'] = (target, { at, from, count }) => {
    checkRange(source, from, count);
    for (let done = 0, n = -1; done < count; done += n) {
      n = readSync(descriptor, target, at + done, Math.min(count - done, 2 ** 30), from + done);
      if (n === 0)
        throw corrupt({ file: source.file, offset: from + done }, 'the file became shorter while it was read');
    }
  };
  const start = new Uint8Array(Math.min(512, source.size));
  copy(start, { at: 0, from: 0, count: start.length });
  checkPresence(path, start);
  return {
    ...source,
    copy,
    read(from, count) {
      checkRange(source, from, count);
      const bytes = new Uint8Array(count);
      copy(bytes, { at: 0, from, count });
      return bytes;
    },
  };
}

/** A part of a source. */
export function sourcePart(
  source: ByteSource,
  part: { from: number; count: number; file?: string; identity?: string },
): ByteSource {
  const { from: start, count: size, file = source.file, identity = source.identity } = part;
  checkRange(source, start, size);
  const own = { file, size, identity, inMemory: source.inMemory };
  return {
    ...own,
    read(from, count) {
      checkRange(own, from, count);
      return source.read(start + from, count);
    },
    copy(target, place) {
      checkRange(own, place.from, place.count);
      source.copy(target, { ...place, from: start + place.from });
    },
  };
}
