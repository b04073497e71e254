import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import type { StoredTensor } from './stored-tensor.js';

const tensors = new Map<string, StoredTensor>([
  ['a.weight', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-30, Infinity) }],
  ['a.steps', { dtype: 'I64', shape: [], data: BigInt64Array.of(-7n) }],
  ['b', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 255) }],
  ['empty', { dtype: 'I32', shape: [0, 4], data: new Int32Array(0) }],
]);

/** A file with this header text and data. */
function file(header: unknown, data: Uint8Array = new Uint8Array(0), claimed?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}
const entry = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });
const refusal = (bytes: Uint8Array) => {
  try {
    readSafetensors(bytes);
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
  return 'accepted';
};

describe('safetensors', () => {
  it('reads back exactly what it wrote, in order, with its text', () => {
    const read = readSafetensors(writeSafetensors(tensors, { format: 'pt', note: 'ä' }));
    expect([...read.tensors]).toEqual([...tensors]);
    expect(read.metadata).toEqual({ format: 'pt', note: 'ä' });
  });

  it('aligns every tensor to its own size, as other readers expect', () => {
    const bytes = writeSafetensors(tensors);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    expect(header['a.steps']!.data_offsets).toEqual([0, 8]);
    expect(header['b']!.data_offsets[0]).toBe(32);
  });

  it('reads halves, bfloats and doubles as float32', () => {
    const data = new Uint8Array(8 + 4 + 4);
    new Float64Array(data.buffer, 0, 1)[0] = 0.1;
    new Uint16Array(data.buffer, 8, 2).set([0x3c00, 0x0001]);
    new Uint16Array(data.buffer, 12, 2).set([0x3f80, 0xc000]);
    const read = readSafetensors(
      file({ d: entry('F64', [1], [0, 8]), h: entry('F16', [2], [8, 12]), b: entry('BF16', [2], [12, 16]) }, data),
    );
    expect(read.tensors.get('d')).toEqual({ dtype: 'F32', shape: [1], data: Float32Array.of(0.1) });
    expect(read.tensors.get('h')!.data).toEqual(Float32Array.of(1, 2 ** -24));
    expect(read.tensors.get('b')!.data).toEqual(Float32Array.of(1, -2));
  });

  it('refuses a header longer than the file, and a huge one, without allocating it', () => {
    expect(refusal(file({}, undefined, 2n ** 63n))).toMatch(/WEIGHTS_INVALID safetensors header claims/);
    expect(refusal(file({}, undefined, 3n))).toMatch(/WEIGHTS_INVALID/);
    expect(refusal(new Uint8Array(5))).toMatch(/at least 8 bytes/);
  });

  it('refuses overlaps, gaps, trailing bytes and truncation, naming the tensor', () => {
    const four = new Uint8Array(4);
    expect(refusal(file({ a: entry('U8', [3], [0, 3]), b: entry('U8', [2], [2, 4]) }, four))).toMatch(/"b" overlaps/);
    expect(refusal(file({ a: entry('U8', [1], [0, 1]), b: entry('U8', [2], [2, 4]) }, four))).toMatch(
      /before tensor "b"/,
    );
    expect(refusal(file({ a: entry('U8', [3], [0, 3]) }, four))).toMatch(/1 bytes after/);
    expect(refusal(file({ a: entry('U8', [9], [0, 9]) }, four))).toMatch(/"a" ends at byte 9/);
  });

  it('refuses wrong dtypes, shapes, sizes and offsets', () => {
    const four = new Uint8Array(4);
    expect(refusal(file({ a: entry('F8', [4], [0, 4]) }, four))).toMatch(/dtype "F8"; allowed are F32/);
    expect(refusal(file({ a: entry('constructor', [4], [0, 4]) }, four))).toMatch(/dtype/);
    expect(refusal(file({ a: entry('F32', [4], [0, 4]) }, four))).toMatch(/which takes 16 bytes/);
    expect(refusal(file({ a: entry('U8', [-1, -4], [0, 4]) }, four))).toMatch(/shape/);
    expect(refusal(file({ a: entry('U8', [2 ** 40, 2 ** 40], [0, 4]) }, four))).toMatch(/do not hold/);
    expect(refusal(file({ a: entry('U8', [4], [4, 0]) }, four))).toMatch(/do not hold/);
    expect(refusal(file({ a: 7 }, four))).toMatch(/dtype undefined/);
    expect(refusal(file({ __metadata__: { a: 1 } }))).toMatch(/__metadata__/);
    expect(refusal(file('[1]'))).toMatch(/not a JSON object/);
    expect(refusal(file('{"a"'))).toMatch(/not JSON/);
  });

  it('keeps a tensor called __proto__ a tensor', () => {
    const read = readSafetensors(
      file('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', Uint8Array.of(9)),
    );
    expect([...read.tensors.keys()]).toEqual(['__proto__']);
  });

  it('answers any bytes with tensors or WEIGHTS_INVALID', () => {
    const good = writeSafetensors(tensors, { format: 'pt' });
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, cut) => {
        const bad = good.slice(0, cut);
        if (at < cut) bad[at] = value;
        expect(refusal(bad)).toMatch(/^(accepted|WEIGHTS_INVALID)/);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses to write values that do not fit', () => {
    const wrong = new Map([['a', { dtype: 'F32', shape: [3], data: new Float32Array(2) } as const]]);
    expect(() => writeSafetensors(wrong)).toThrow(/2 values of Float32Array are not F32 \[3\]/);
  });
});
