import { corrupt, needBytes } from '../corrupt.js';
import type { ByteSource } from './byte-source.js';

const endSignature = 0x06054b50;
const locatorSignature = 0x07064b50;
const end64Signature = 0x06064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
/** In a 32-bit field: the number is in the zip64 extra field. */
const elsewhere = 0xffffffff;
/** Twice what any data set has; an archive that lists more is hostile. */
const mostEntries = 100_000;

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  /** Bytes in the archive, and unpacked. */
  readonly packed: number;
  readonly size: number;
  /** Where its bytes begin. */
  readonly start: number;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Where the directory is: from the record at the end, which a comment of up to 64 KiB may follow, or its 64-bit form. */
function findDirectory(source: ByteSource): { count: number; start: number; size: number } {
  const { file, size } = source;
  const length = Math.min(size, 22 + 65535 + 20);
  const tail = viewOf(source.read(size - length, length));
  let at = length - 22;
  while (at >= 0 && tail.getUint32(at, true) !== endSignature) at--;
  if (at < 0) throw corrupt({ file, offset: size }, 'truncated or not a zip archive: it has no directory at its end');
  const found = {
    count: tail.getUint16(at + 10, true),
    size: tail.getUint32(at + 12, true),
    start: tail.getUint32(at + 16, true),
  };
  if (at < 20 || tail.getUint32(at - 20, true) !== locatorSignature) return found;
  const record = viewOf(source.read(Number(tail.getBigUint64(at - 12, true)), 56));
  if (record.getUint32(0, true) !== end64Signature)
    throw corrupt({ file, offset: size }, 'its 64-bit end record is missing');
  return {
    count: Number(record.getBigUint64(32, true)),
    size: Number(record.getBigUint64(40, true)),
    start: Number(record.getBigUint64(48, true)),
  };
}

/** Numbers that do not fit 32 bits stand in an extra field, in this order. */
function wideNumbers(view: DataView, range: { from: number; to: number }): () => number {
  for (let at = range.from; at + 4 <= range.to; at += 4 + view.getUint16(at + 2, true))
    if (view.getUint16(at, true) === 1) {
      let next = at + 4;
      return () => (next + 8 <= range.to ? Number(view.getBigUint64((next += 8) - 8, true)) : elsewhere);
    }
  return () => elsewhere;
}

/** The files of an archive of any size. No two may share bytes. */
export function readZipDirectory(source: ByteSource): ZipEntry[] {
  const { file } = source;
  const { count, start, size } = findDirectory(source);
  if (count > mostEntries) throw corrupt({ file, offset: start }, `${count} files; at most ${mostEntries} are read`);
  const bytes = source.read(start, Math.min(size, source.size - start));
  const view = viewOf(bytes);
  let at = 0;
  const listed = Array.from({ length: count }, () => {
    needBytes(bytes, { from: at, count: 46 }, { file, offset: start + at });
    if (view.getUint32(at, true) !== entrySignature)
      throw corrupt({ file, offset: start + at }, 'the archive directory is damaged');
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((i) => view.getUint16(at + i, true)) as [
      number,
      number,
      number,
    ];
    needBytes(bytes, { from: at + 46, count: nameLength + extraLength }, { file, offset: start + at });
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const wide = wideNumbers(view, { from: at + 46 + nameLength, to: at + 46 + nameLength + extraLength });
    const number = (i: number) => {
      const narrow = view.getUint32(at + i, true);
      return narrow === elsewhere ? wide() : narrow;
    };
    const [unpackedSize, packed, local] = [number(24), number(20), number(42)];
    const entry = {
      name,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed,
      size: unpackedSize,
      local,
    };
    at += 46 + nameLength + extraLength + commentLength;
    return entry;
  });
  const entries = listed.map(({ local, ...entry }): ZipEntry => {
    const place = { file: `${file}:${entry.name}`, offset: local };
    const header = viewOf(source.read(local, 30));
    if (header.getUint32(0, true) !== localSignature) throw corrupt(place, 'the entry has no header here');
    const nameLength = header.getUint16(26, true);
    const own = new TextDecoder().decode(source.read(local + 30, nameLength));
    if (own !== entry.name)
      throw corrupt(
        place,
        `the archive's directory calls it ${JSON.stringify(entry.name)}, itself ${JSON.stringify(own)}`,
      );
    return { ...entry, start: local + 30 + nameLength + header.getUint16(28, true) };
  });
  let reached = 0;
  for (const { name, start: begin, packed } of entries.toSorted((a, b) => a.start - b.start)) {
    if (begin < reached)
      throw corrupt({ file: `${file}:${name}`, offset: begin }, 'shares its bytes with another entry');
    reached = begin + packed;
  }
  return entries;
}
