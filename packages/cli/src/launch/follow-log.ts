import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** Size of a file; 0 while it is not there. */
export const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

function readFrom(file: string, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(to - from);
  const opened = openSync(file, 'r');
  try {
    return bytes.subarray(0, readSync(opened, bytes, 0, bytes.length, from));
  } finally {
    closeSync(opened);
  }
}

/** Reads what is added to a log, from a position on. @returns a function that gives the lines which became whole since its last call */
export function followLog(file: string, from: number): () => string[] {
  const decoder = new StringDecoder('utf8');
  let position = from;
  let rest = '';
  return () => {
    const size = sizeOf(file);
    if (size <= position) return [];
    const bytes = readFrom(file, position, size);
    position += bytes.length;
    const lines = (rest + decoder.write(bytes)).split('\n');
    rest = lines.pop()!;
    return lines;
  };
}

/** The last lines of a log that say something. */
export function lastLines(file: string, count: number): string[] {
  const size = sizeOf(file);
  if (size === 0) return [];
  const lines = readFrom(file, Math.max(0, size - 4096), size)
    .toString()
    .split('\n');
  return lines.filter((line) => line.trim() !== '').slice(-count);
}
