import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { numpyGlobals, PickledArray } from './numpy-pickle.js';
import { readPickle } from './pickle.js';

/** What Python's pickle wrote of one dictionary, in several protocols. */
const written = (protocol: number) =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/formats/numpy${protocol}.pkl`, import.meta.url)));
const ascii = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
const refusal = (bytes: Uint8Array) => {
  try {
    readPickle(bytes, { globals: numpyGlobals });
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
  return 'accepted';
};

describe('pickle', () => {
  it.each([0, 2, 4, 5])('reads what protocol %d writes of numbers, text, containers and numpy arrays', (protocol) => {
    const value = readPickle(written(protocol), { globals: numpyGlobals }) as Map<string, unknown>;
    const data = value.get('data') as PickledArray;
    expect([data.dtype, data.shape, [...(data.data as Uint8Array)]]).toEqual([
      'u1',
      [2, 3, 4],
      Array.from({ length: 24 }, (_, i) => i),
    ]);
    const columns = value.get('f') as PickledArray;
    expect([columns.shape, columns.data]).toEqual([[2, 3], BigInt64Array.of(0n, 1n, 2n, 3n, 4n, 5n)]);
    expect(value.get('labels')).toEqual([1, 2, -3, 10n ** 20n]);
    expect(value.get('name')).toBe('ä');
    expect(Buffer.from(value.get('b') as Uint8Array).toString()).toBe('xyz');
    expect(value.get('t')).toEqual([1, 2.5, null, true]);
    expect(value.get('s')).toBe(1.5);
    expect(value.get('set')).toEqual([1]);
  });

  it('reads the strings of Python 2', () => {
    expect(readPickle(ascii("(dp0\nS'data'\np1\nU\x02\xffas."))).toEqual(new Map([['data', '\xffa']]));
  });

  it('executes nothing: a name outside the tables is refused with that name', () => {
    expect(refusal(ascii("cos\nsystem\n(S'touch /tmp/owned'\ntR."))).toMatch(
      /WEIGHTS_INVALID .*os\.system.*nothing was executed/,
    );
    expect(refusal(ascii('cbuiltins\neval\n(S"1"\ntR.'))).toMatch(/builtins\.eval/);
    expect(refusal(ascii('c__builtin__\n__proto__\n.'))).toMatch(/__proto__/);
    expect(refusal(ascii('\x80\x04\x8c\x02nt\x8c\x06system\x93.'))).toMatch(/nt\.system/);
    expect(refusal(ascii('(cos\nsystem\no.'))).toMatch(/os\.system/);
    expect(refusal(ascii("(S'a'\nios\nsystem\n."))).toMatch(/operation 0x69/);
  });

  it('calls no value that is not a name of the tables, and sets no state of such', () => {
    expect(refusal(ascii('N)R.'))).toMatch(/cannot be called/);
    expect(refusal(ascii('cnumpy\nndarray\n)R.'))).toMatch(/numpy ndarray cannot be called/);
    expect(refusal(ascii('}}b.'))).toMatch(/state/);
  });

  it('refuses lengths beyond the file before making anything of that size', () => {
    expect(refusal(ascii('B\xff\xff\xff\xffabc'))).toMatch(/4294967295 bytes are needed/);
    expect(refusal(ascii('\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc'))).toMatch(/bytes are needed/);
    expect(refusal(ascii('\x8b\x00\x00\x00\x40'))).toMatch(/an integer of/);
    expect(refusal(new Uint8Array(0))).toMatch(/WEIGHTS_INVALID/);
  });

  it('refuses numpy arrays whose bytes do not fit, and of objects', () => {
    const array = (type: string, state: string) =>
      ascii(
        `cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n(S'${type}'\nI0\nI1\ntR${state}tb.`,
      );
    expect(refusal(array('f4', "I00\nS'abcdefgh'\n"))).toBe('accepted');
    expect(refusal(array('f4', "I00\nS'abcd'\n"))).toMatch(/4 bytes are not 2 numbers of f4/);
    expect(refusal(array('O8', "I00\nS'abcdefgh'\n"))).toMatch(/a numpy array of O8/);
  });

  it('answers any bytes with data or WEIGHTS_INVALID', () => {
    const good = written(4);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.integer({ min: 1, max: good.length }), (at, value, cut) => {
        const bad = good.slice(0, cut);
        if (at < cut) bad[at] = value;
        expect(refusal(bad)).toMatch(/^(accepted|WEIGHTS_INVALID)/);
      }),
      { numRuns: 1000 },
    );
  });
});
