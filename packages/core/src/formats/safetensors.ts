import {
  decodeTensor,
  elementCount,
  fileTypeSizes,
  invalidWeights,
  storedTypes,
  type StoredTensor,
} from './stored-tensor.js';

/** Tensors by name, and the file's free text. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Ten thousand tensors need about 1 MB of header; what claims more than this is refused before it is parsed. */
const longestHeader = 16 * 2 ** 20;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * Whether a file begins as safetensors do: the length of the header, 8 bytes of which a real one needs the first 4, then `{`. To be asked
 * before other forms are: the length may look like their first bytes.
 */
export const isSafetensors = (bytes: Uint8Array): boolean =>
  bytes[8] === 0x7b && bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] === 0;

function parseHeader(bytes: Uint8Array): { header: object; dataStart: number } {
  if (bytes.length < 8) throw invalidWeights(`a safetensors file has at least 8 bytes, this one has ${bytes.length}`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > longestHeader || length > bytes.length - 8)
    throw invalidWeights(
      `safetensors header claims ${length} bytes; allowed are ${Math.min(longestHeader, bytes.length - 8)} in this file of ${bytes.length}`,
      'the file is truncated, or not a safetensors file',
    );
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch (cause) {
    throw invalidWeights(`safetensors header is not JSON: ${(cause as Error).message.slice(0, 200)}`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw invalidWeights('safetensors header is not a JSON object');
  return { header, dataStart: 8 + length };
}

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

function checkEntry(name: string, value: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const fail = (what: string) => invalidWeights(`tensor ${JSON.stringify(name)}: ${what}`);
  if (typeof dtype !== 'string' || !Object.hasOwn(fileTypeSizes, dtype))
    throw fail(`dtype ${JSON.stringify(dtype)}; allowed are ${Object.keys(fileTypeSizes).join(', ')}`);
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every(isCount))
    throw fail(`shape ${JSON.stringify(shape)?.slice(0, 100)} is not a list of at most 8 sizes`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    throw fail(`data_offsets ${JSON.stringify(offsets)?.slice(0, 100)} are not [begin, end]`);
  const [start, end] = offsets as [number, number];
  const needed = elementCount(shape) * fileTypeSizes[dtype]!;
  if (end - start !== needed)
    throw fail(`bytes ${start} to ${end} do not hold ${dtype} [${shape.join(', ')}], which takes ${needed} bytes`);
  return { name, dtype, shape, start, end };
}

/** Refuses overlaps, gaps, and data that no tensor owns (places to hide things in). */
function checkCoverage(entries: readonly Entry[], dataLength: number): void {
  let reached = 0;
  for (const { name, start, end } of entries.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (start < reached) throw invalidWeights(`tensor ${JSON.stringify(name)} overlaps the one before it`);
    if (start > reached)
      throw invalidWeights(`${start - reached} bytes before tensor ${JSON.stringify(name)} are unused`);
    if (end > dataLength)
      throw invalidWeights(
        `tensor ${JSON.stringify(name)} ends at byte ${end} of data, but the file has ${dataLength}`,
        'the file is truncated: get it again',
      );
    reached = end;
  }
  if (reached !== dataLength) throw invalidWeights(`${dataLength - reached} bytes after the last tensor are unused`);
}

/**
 * Reads a safetensors file. Everything is checked before anything is copied; F16, BF16 and F64 become float32.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const { header, dataStart } = parseHeader(bytes);
  const { __metadata__: metadata = {}, ...described } = header as Record<string, unknown>;
  if (
    typeof metadata !== 'object' ||
    metadata === null ||
    !Object.values(metadata).every((value) => typeof value === 'string')
  )
    throw invalidWeights('safetensors __metadata__ is not an object of strings');
  const entries = Object.entries(described).map(([name, value]) => checkEntry(name, value));
  const data = bytes.subarray(dataStart);
  checkCoverage(entries, data.length);
  const tensors = new Map(
    entries.map(({ name, dtype, shape, start, end }) => [name, decodeTensor(dtype, shape, data.subarray(start, end))]),
  );
  return { tensors, metadata: metadata as Record<string, string> };
}

/**
 * Writes a safetensors file. Names keep their order; wide types come first in the data, so that every tensor is aligned.
 * @throws BulwarkError WEIGHTS_INVALID if a tensor's values do not fit its shape and dtype
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const placed = new Map<string, number>();
  let end = 0;
  for (const [name, { dtype, shape, data }] of [...tensors].sort(
    ([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT,
  )) {
    if (!(data instanceof storedTypes[dtype]) || data.length !== elementCount(shape))
      throw invalidWeights(
        `tensor ${JSON.stringify(name)}: ${data.length} values of ${data.constructor.name} are not ${dtype} [${shape.join(', ')}]`,
        'pass values that fit the shape and dtype',
      );
    placed.set(name, end);
    end += data.byteLength;
  }
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  for (const [name, { dtype, shape, data }] of tensors) {
    const start = placed.get(name)!;
    header[name] = { dtype, shape, data_offsets: [start, start + data.byteLength] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength).set(json, 8);
  for (const [name, { data }] of tensors)
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 8 + headerLength + placed.get(name)!);
  return bytes;
}
