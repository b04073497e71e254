import { tmpdir } from 'node:os';
import { BulwarkError } from '../../errors.js';

const full = ['ENOSPC', 'EDQUOT'];
const closed = ['EROFS', 'EACCES', 'EPERM', 'ENOTDIR', 'EEXIST', 'EISDIR', 'ELOOP', 'EINVAL'];

/** What went wrong in a folder of the cache, in words where it was the disk: full, read-only, not ours. */
export function diskError(error: unknown, folder: string): unknown {
  const refuse = (message: string, hint: string) => new BulwarkError('ENGINE_INSTALL', message, { hint, cause: error });
  if (error instanceof BulwarkError) {
    // compilers, pip and npm say it in words of their own
    if (!/no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i.test(error.message)) return error;
    return refuse(
      `the disk of ${folder} or of ${tmpdir()} is full: ${error.message}`,
      'free some space, or set BULWARK_CACHE and TMPDIR to folders on a larger disk',
    );
  }
  const { code = '', syscall, message } = error as NodeJS.ErrnoException;
  if (full.includes(code)) return refuse(`the disk of ${folder} is full`, 'free some space, or set BULWARK_CACHE');
  // what keeps Node from making folders within each other it calls a missing folder, whatever it was
  if (closed.includes(code) || (code === 'ENOENT' && syscall === 'mkdir'))
    return refuse(`${folder} cannot be written to: ${message}`, 'set BULWARK_CACHE to a folder of yours');
  return error;
}
