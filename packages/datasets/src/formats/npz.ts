import * as zlib from 'node:zlib';
import { zipSync } from 'fflate';
import { corrupt, needBytes } from '../corrupt.js';
import { plainBytes } from './files.js';
import { readNpy, writeNpy, type NpyArray } from './npy.js';

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const stored = 0;
const deflated = 8;
/** In a 32-bit field: the number is in the zip64 extra field. */
const elsewhere = 0xffffffff;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly local: number;
}

/** Offset of the end-of-directory record, which a comment of up to 64 KiB may follow. */
function findEnd(view: DataView, file: string): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 65535); at--)
    if (view.getUint32(at, true) === endSignature) return at;
  throw corrupt({ file, offset: view.byteLength }, 'truncated or not a zip archive: it has no directory at its end');
}

/** NumPy needs zip64 for arrays of 4 GiB and more only; then these 64-bit numbers replace the overflowing ones, in this order. */
function zip64Numbers(view: DataView, range: { from: number; to: number }): () => number {
  for (let at = range.from; at + 4 <= range.to; at += 4 + view.getUint16(at + 2, true))
    if (view.getUint16(at, true) === 1) {
      let next = at + 4;
      return () => (next + 8 <= range.to ? Number(view.getBigUint64((next += 8) - 8, true)) : elsewhere);
    }
  return () => elsewhere;
}

function readDirectory(bytes: Uint8Array, file: string): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view, file);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (at === elsewhere)
    throw corrupt(
      { file, offset: end },
      'the directory of the archive lies beyond 4 GiB; save the arrays as npy files',
    );
  return Array.from({ length: count }, () => {
    needBytes(bytes, { from: at, count: 46 }, { file });
    if (view.getUint32(at, true) !== entrySignature)
      throw corrupt({ file, offset: at }, 'the archive directory is damaged');
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((i) => view.getUint16(at + i, true)) as [
      number,
      number,
      number,
    ];
    needBytes(bytes, { from: at + 46, count: nameLength + extraLength }, { file });
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const wide = zip64Numbers(view, { from: at + 46 + nameLength, to: at + 46 + nameLength + extraLength });
    const number = (i: number) => {
      const narrow = view.getUint32(at + i, true);
      return narrow === elsewhere ? wide() : narrow;
    };
    const [size, packed, local] = [number(24), number(20), number(42)];
    const entry = {
      name,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed,
      size,
      local,
    };
    at += 46 + nameLength + extraLength + commentLength;
    return entry;
  });
}

function unpack(bytes: Uint8Array, entry: Entry, file: string): Uint8Array {
  const place = { file: `${file}:${entry.name}`, offset: entry.local };
  needBytes(bytes, { from: entry.local, count: 30 }, place);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(entry.local, true) !== localSignature) throw corrupt(place, 'the entry has no header here');
  const start = entry.local + 30 + view.getUint16(entry.local + 26, true) + view.getUint16(entry.local + 28, true);
  needBytes(bytes, { from: start, count: entry.packed }, place);
  const packed = bytes.subarray(start, start + entry.packed);
  const content = inflate(packed, entry, { ...place, offset: start });
  if (content.length !== entry.size)
    throw corrupt({ ...place, offset: start }, `${content.length} bytes; the directory says ${entry.size}`);
  if (zlib.crc32(content) !== entry.crc)
    throw corrupt({ ...place, offset: start }, 'its CRC-32 checksum does not match');
  return content;
}

function inflate(packed: Uint8Array, entry: Entry, place: { file: string; offset: number }): Uint8Array {
  if (entry.method === stored) return packed;
  if (entry.method !== deflated)
    throw corrupt(place, `compression method ${entry.method}; expected 0 (stored) or 8 (deflate)`);
  try {
    return plainBytes(zlib.inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.size) }));
  } catch (cause) {
    throw corrupt(place, `cannot be decompressed: ${(cause as Error).message}`, { cause });
  }
}

/** The arrays of an npz file by name (without `.npy`). Every entry's checksum is verified, which fflate's reader does not do. */
export function readNpz(bytes: Uint8Array, file: string): Map<string, NpyArray> {
  const entries = readDirectory(bytes, file).filter(({ name }) => name.endsWith('.npy'));
  return new Map(
    entries.map((entry) => [entry.name.slice(0, -4), readNpy(unpack(bytes, entry, file), `${file}:${entry.name}`)]),
  );
}

/** An npz file; compressed as `np.savez_compressed` does. Dates are fixed, so that equal arrays give equal files. */
export function writeNpz(arrays: Readonly<Record<string, NpyArray>>, options: { compress?: boolean } = {}): Uint8Array {
  const level = options.compress === false ? 0 : 6;
  const entries = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, writeNpy(array)]);
  return zipSync(Object.fromEntries(entries), { level, mtime: new Date(1980, 0, 1) });
}
