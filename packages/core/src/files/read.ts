import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

/** Most bytes of a file that is read whole: what Node.js can hold in one buffer everywhere. */
export const largestFile = 2 ** 32 - 1;

const kindOf = (found: Stats): string => {
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a pipe';
  if (found.isSocket()) return 'a socket';
  return 'a device';
};

/** An error of the file system that says what is there instead of a file. */
const refused = (path: string, why: string, code: string) =>
  Object.assign(new Error(`${path} ${why}`), { code, path, syscall: 'read' });

/**
 * Reads a whole file. Only regular files are read: a pipe would keep its reader waiting for ever, and a device has no end.
 * @param limit most bytes
 * @throws Error of the file system, with its code
 */
export function readRegularFile(path: string, limit = largestFile): Buffer {
  // without O_NONBLOCK, opening a pipe waits for someone who writes
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = fstatSync(file);
    if (!found.isFile())
      throw refused(path, `is ${kindOf(found)}, not a file`, found.isDirectory() ? 'EISDIR' : 'EINVAL');
    if (found.size > limit) throw refused(path, `has ${found.size} bytes; allowed are ${limit}`, 'EFBIG');
    const bytes = Buffer.allocUnsafeSlow(found.size);
    let length = 0;
    for (let read = -1; length < bytes.length && read !== 0; length += read)
      read = readSync(file, bytes, length, Math.min(bytes.length - length, 2 ** 30), null);
    return length === bytes.length ? bytes : bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/** The same; undefined if there is no such file. */
export function readIfThere(path: string, limit = largestFile): Buffer | undefined {
  try {
    return readRegularFile(path, limit);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
