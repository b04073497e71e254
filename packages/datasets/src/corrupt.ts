import { BulwarkError } from '@bulwark/core';

/** Where in a file a reader stands, for messages. */
export interface FilePlace {
  /** File name, with an entry's name after a colon where the file is an archive. */
  readonly file: string;
  /** Byte offset; of the decompressed data where the file is compressed. */
  readonly offset?: number;
}

const anyFile = 'check that it is the file you meant, and whole: it may have to be written or copied again';

/** What reading a published set throws, with the hint that published files have: they can be fetched. Own data cannot. */
export function ofPublished(error: unknown, name: string): unknown {
  if (!(error instanceof BulwarkError) || error.code !== 'DATA_CORRUPT' || error.hint !== anyFile) return error;
  const hint = `get the file again (\`bulwark data fetch ${name}\`, after removing it), or check that it is the file you meant`;
  return new BulwarkError(error.code, error.message, { hint, cause: error.cause });
}

/** The error of a data file that is not what it should be. */
export function corrupt(
  place: FilePlace,
  what: string,
  options: { cause?: unknown; hint?: string } = {},
): BulwarkError {
  const at = place.offset === undefined ? '' : ` at byte ${place.offset}`;
  return new BulwarkError('DATA_CORRUPT', `${place.file}${at}: ${what}`, {
    hint: options.hint ?? anyFile,
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });
}

/** Refuses to read beyond the end. */
export function needBytes(bytes: Uint8Array, range: { from: number; count: number }, place: FilePlace): void {
  const { from, count } = range;
  if (from + count > bytes.length)
    throw corrupt(
      { ...place, offset: Math.min(from, bytes.length) },
      `truncated: ${count} bytes are expected here, ${Math.max(0, bytes.length - from)} are left`,
    );
}
