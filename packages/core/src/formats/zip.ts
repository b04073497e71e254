import { crc32, inflateRawSync } from 'node:zlib';
import { invalidWeights } from './stored-tensor.js';

/** Reads entries of a zip archive by name. */
export interface ZipArchive {
  readonly names: readonly string[];
  /** Bytes that an entry unpacks to, as the list says. */
  size(name: string): number;
  /** The content; stored entries are views of the archive. */
  read(name: string): Uint8Array;
}

interface ZipEntry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly checksum: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

const end = { signature: 0x06054b50, size: 22 };
const end64 = { signature: 0x06064b50, locator: 0x07064b50, locatorSize: 20, size: 56 };
const central = { signature: 0x02014b50, size: 46 };
const local = { signature: 0x04034b50, size: 30 };

const damaged = (what: string) => invalidWeights(`the zip archive is damaged or truncated: ${what}`);
const bomb = (what: string) =>
  invalidWeights(
    `the zip archive is refused: ${what}`,
    'a weights file hardly compresses; get it from a source that you trust',
  );

/** Where the list of entries is: from the end record, or from its 64-bit form where PyTorch wrote one. */
function findDirectory(bytes: Uint8Array, view: DataView): { count: number; start: number; length: number } {
  const lowest = Math.max(0, bytes.length - end.size - 0xffff);
  let at = bytes.length - end.size;
  while (at >= lowest && view.getUint32(at, true) !== end.signature) at--;
  if (at < lowest) throw damaged('it has no end record');
  const locator = at - end64.locatorSize;
  if (locator >= 0 && view.getUint32(locator, true) === end64.locator) {
    const record = Number(view.getBigUint64(locator + 8, true));
    if (record > bytes.length - end64.size || view.getUint32(record, true) !== end64.signature)
      throw damaged('its 64-bit end record is missing');
    return {
      count: Number(view.getBigUint64(record + 32, true)),
      length: Number(view.getBigUint64(record + 40, true)),
      start: Number(view.getBigUint64(record + 48, true)),
    };
  }
  return {
    count: view.getUint16(at + 10, true),
    length: view.getUint32(at + 12, true),
    start: view.getUint32(at + 16, true),
  };
}

/** 64-bit values of an entry's extra field replace those that do not fit 32 bits, in this order. */
function widen(view: DataView, extra: { from: number; to: number }, fields: number[]): number[] {
  if (!fields.includes(0xffffffff)) return fields;
  for (let at = extra.from; at + 4 <= extra.to; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let value = at + 4;
    return fields.map((field) => {
      if (field !== 0xffffffff) return field;
      if (value + 8 > extra.to) throw damaged('a 64-bit field is cut off');
      value += 8;
      return Number(view.getBigUint64(value - 8, true));
    });
  }
  throw damaged('a 64-bit field is missing');
}

function readDirectory(bytes: Uint8Array): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { count, start, length } = findDirectory(bytes, view);
  if (start + length > bytes.length || count * central.size > length) throw damaged('its list of entries is cut off');
  const entries: ZipEntry[] = [];
  for (let at = start; entries.length < count;) {
    if (at + central.size > start + length || view.getUint32(at, true) !== central.signature)
      throw damaged('its list of entries is cut off');
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const nameEnd = at + central.size + nameLength!;
    const next = nameEnd + extraLength! + commentLength!;
    if (next > start + length) throw damaged('an entry is cut off');
    const wide = [24, 20, 42].map((field) => view.getUint32(at + field, true));
    const [size, packed, offset] = widen(view, { from: nameEnd, to: nameEnd + extraLength! }, wide);
    entries.push({
      name: Buffer.from(bytes.subarray(at + central.size, nameEnd)).toString('utf8'),
      flags: view.getUint16(at + 8, true),
      method: view.getUint16(at + 10, true),
      checksum: view.getUint32(at + 16, true),
      packed: packed!,
      size: size!,
      offset: offset!,
    });
    at = next;
  }
  return entries;
}

/**
 * Opens a zip archive held in memory. What its entries claim to unpack to is bounded by ten times the archive's size, and no entry
 * unpacks to more than it claims.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function openZip(bytes: Uint8Array): ZipArchive {
  const entries = new Map(readDirectory(bytes).map((entry) => [entry.name, entry]));
  const total = [...entries.values()].reduce((sum, { size }) => sum + size, 0);
  if (total > 10 * bytes.length + 2 ** 20)
    throw bomb(`${bytes.length} bytes claim to unpack to ${total}; allowed is ten times the size`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

  const unpack = ({ name, method, size }: ZipEntry, content: Uint8Array): Uint8Array => {
    if (method === 0) return content;
    try {
      return inflateRawSync(content, { maxOutputLength: Math.max(1, size) });
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        ? bomb(`${name} unpacks to more than the ${size} bytes it claims`)
        : damaged(`${name}: ${(error as Error).message}`);
    }
  };

  const find = (name: string): ZipEntry => {
    const entry = entries.get(name);
    if (!entry) throw damaged(`it has no entry ${JSON.stringify(name)}`);
    return entry;
  };

  return {
    names: [...entries.keys()],
    size: (name) => find(name).size,
    read(name) {
      const entry = find(name);
      const { offset, packed, size, flags, method } = entry;
      if (flags & 1 || (method !== 0 && method !== 8))
        throw invalidWeights(
          `zip entry ${name} is encrypted or compressed by method ${method}`,
          'store it, or deflate it',
        );
      if (offset + local.size > bytes.length || view.getUint32(offset, true) !== local.signature)
        throw damaged(`${name} is not where the list says`);
      const nameLength = view.getUint16(offset + 26, true);
      const from = offset + local.size + nameLength + view.getUint16(offset + 28, true);
      if (from + packed > bytes.length) throw damaged(`${name} is cut off`);
      const own = Buffer.from(bytes.subarray(offset + local.size, offset + local.size + nameLength)).toString('utf8');
      if (own !== name)
        throw damaged(`what the list calls ${JSON.stringify(name)} calls itself ${JSON.stringify(own)}`);
      const content = unpack(entry, bytes.subarray(from, from + packed));
      if (content.length !== size || crc32(content) !== entry.checksum) throw damaged(`${name} fails its checksum`);
      return content;
    },
  };
}
