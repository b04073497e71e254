import * as zlib from 'node:zlib';
import { createBudget } from '@bulwark/core/files';
import { zipSync } from 'fflate';
import { corrupt } from '../corrupt.js';
import { memorySource, sourcePart, type ByteSource } from './byte-source.js';
import { plainBytes } from './files.js';
import { openNpy, writeNpy, type NpyArray, type NpyFile } from './npy.js';
import { readZipDirectory, type ZipEntry } from './zip-directory.js';

const stored = 0;
const deflated = 8;

/** One array of an npz file. */
export interface NpzEntry {
  readonly isCompressed: boolean;
  /** Bytes that it has when it is unpacked. */
  readonly size: number;
  /** Where it is in the file. */
  readonly place: ZipEntry;
  /** Looks at the array where it lies; its checksum is not verified. For arrays that are not compressed. */
  inPlace(): NpyFile;
  /** Reads the array into memory and verifies its checksum. */
  open(): NpyFile;
  /** All values. The checksum is verified. */
  read(): NpyArray;
}

/** The arrays of an npz file by name, without `.npy`. Nothing but the directory is read yet. */
export function openNpz(source: ByteSource): Map<string, NpzEntry> {
  const { file } = source;
  const entries = readZipDirectory(source).filter(({ name }) => name.endsWith('.npy'));
  const budget = createBudget({ bytes: source.size, refuse: (why) => corrupt({ file }, why) });
  return new Map(entries.map((entry) => [entry.name.slice(0, -'.npy'.length), arrayOf(source, entry, budget)]));
}

function arrayOf(source: ByteSource, entry: ZipEntry, budget: ReturnType<typeof createBudget>): NpzEntry {
  const place = { file: `${source.file}:${entry.name}`, offset: entry.start };
  const identity = `${entry.name} ${entry.size} bytes crc ${entry.crc}`;
  const packed = sourcePart(source, { from: entry.start, count: entry.packed, file: place.file, identity });
  if (entry.method !== stored && entry.method !== deflated)
    throw corrupt(place, `compression method ${entry.method}; expected 0 (stored) or 8 (deflate)`);
  const isCompressed = entry.method === deflated;
  if (!isCompressed && entry.packed !== entry.size)
    throw corrupt(place, `${entry.packed} bytes; the directory says ${entry.size}`);

  const checked = (content: Uint8Array): Uint8Array => {
    if (content.length !== entry.size)
      throw corrupt(place, `${content.length} bytes; the directory says ${entry.size}`);
    if (zlib.crc32(content) !== entry.crc) throw corrupt(place, 'its CRC-32 checksum does not match');
    return content;
  };
  const unpacked = (): Uint8Array => {
    budget.allocate(entry.size, place.file);
    const bytes = packed.read(0, entry.packed);
    if (!isCompressed) return checked(bytes);
    try {
      return checked(plainBytes(zlib.inflateRawSync(bytes, { maxOutputLength: Math.max(1, entry.size) })));
    } catch (cause) {
      if ((cause as Error).name === 'BulwarkError') throw cause;
      throw corrupt(place, `cannot be decompressed: ${(cause as Error).message}`, { cause });
    }
  };
  const open = () => openNpy(memorySource(unpacked(), place.file));
  return {
    isCompressed,
    size: entry.size,
    place: entry,
    inPlace: () => openNpy(packed),
    open,
    read: () => open().read(),
  };
}

/** The arrays of an npz file by name (without `.npy`). Every entry's checksum is verified, which fflate's reader does not do. */
export const readNpz = (bytes: Uint8Array, file: string): Map<string, NpyArray> =>
  new Map([...openNpz(memorySource(bytes, file))].map(([name, entry]) => [name, entry.read()]));

/** An npz file; compressed as `np.savez_compressed` does. Dates are fixed, so that equal arrays give equal files. */
export function writeNpz(arrays: Readonly<Record<string, NpyArray>>, options: { compress?: boolean } = {}): Uint8Array {
  const level = options.compress === false ? 0 : 6;
  const entries = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, writeNpy(array)]);
  return zipSync(Object.fromEntries(entries), { level, mtime: new Date(1980, 0, 1) });
}
