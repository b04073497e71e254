import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { BulwarkError } from '@bulwark/core';

/** How far a file has come. `total` is unknown where a server does not say. */
export interface Progress {
  readonly file: string;
  readonly received: number;
  readonly total: number | undefined;
}

/** Told how a transfer gets on. */
export type OnProgress = (progress: Progress) => void;

interface Source {
  readonly stream: Readable;
  /** Bytes that are in the part file already and stay. */
  readonly offset: number;
  readonly total: number | undefined;
}

const sizeOf = (path: string) => (existsSync(path) ? statSync(path).size : 0);

/** Asks for what is missing; a server that does not know ranges sends everything again. */
async function openUrl(url: string, have: number): Promise<Source | 'complete'> {
  const failed = (why: string, cause?: unknown) =>
    new BulwarkError('DATA_FETCH', `${url}: ${why}`, {
      hint: 'check the connection and run it again: it resumes; or give a mirror or a folder with --from',
      cause,
    });
  let response: Response;
  try {
    response = await fetch(url, { headers: have > 0 ? { Range: `bytes=${have}-` } : {} });
  } catch (error) {
    const cause = (error as Error).cause as Error | undefined;
    throw failed(cause?.message || (error as Error).message, error);
  }
  if (response.status === 416) {
    // asked for bytes beyond the end: whole already, or longer than the file is: the checksum decides
    await response.body?.cancel();
    return 'complete';
  }
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw failed(`the server answered ${response.status} ${response.statusText}`);
  }
  const resumed = response.status === 206;
  const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  if (resumed && Number(range?.[1]) !== have) {
    await response.body.cancel();
    throw failed(`asked for byte ${have} on, the server sent ${response.headers.get('content-range')}`);
  }
  const offset = resumed ? have : 0;
  const length = response.headers.get('content-encoding') ? undefined : response.headers.get('content-length');
  return {
    stream: Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
    offset,
    total: length === null || length === undefined ? undefined : offset + Number(length),
  };
}

/**
 * Brings a file, from a url or a path, into `part`. What an interrupted transfer from a url has left there is kept and completed.
 * @throws BulwarkError DATA_FETCH; the part file stays, so that the next call goes on
 */
export async function transfer(
  from: { url: string } | { path: string },
  part: string,
  options: { file: string; onProgress?: OnProgress | undefined },
): Promise<void> {
  const source: Source | 'complete' =
    'url' in from
      ? await openUrl(from.url, sizeOf(part))
      : { stream: createReadStream(from.path), offset: 0, total: statSync(from.path).size };
  if (source === 'complete') return;
  let received = source.offset;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      options.onProgress?.({ file: options.file, received, total: source.total });
      done(null, chunk);
    },
  });
  const sink = createWriteStream(part, { flags: source.offset > 0 ? 'a' : 'w' });
  try {
    await pipeline(source.stream, count, sink);
  } catch (error) {
    throw writeFailure(error, { path: part, received, total: source.total });
  }
  if (source.total !== undefined && received !== source.total)
    throw writeFailure(new Error('the connection ended early'), { path: part, received, total: source.total });
}

/** What a failed write or read says to the user. */
export function writeFailure(
  error: unknown,
  at: { path: string; received?: number; total?: number | undefined },
): BulwarkError {
  const { code, message } = error as NodeJS.ErrnoException;
  const progress =
    at.received === undefined ? '' : ` after ${at.received} of ${at.total ?? 'an unknown number of'} bytes`;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new BulwarkError('DATA_FETCH', `${at.path}: ${full ? 'the disk is full' : message}${progress}`, {
    hint: full
      ? 'free some space, or set BULWARK_DATA to a folder on another disk, and run it again'
      : 'run it again: it goes on where it stopped',
    cause: error,
  });
}

/** Hash of a file as hex; of its decompressed contents with `gunzip`. */
export async function hashFile(
  path: string,
  options: { algorithm: 'md5' | 'sha256'; gunzip?: boolean },
): Promise<string> {
  const hash = createHash(options.algorithm);
  if (options.gunzip) await pipeline(createReadStream(path), createGunzip(), hash);
  else await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
