import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { numpyGlobals, PickledArray } from './numpy-pickle.js';
import { readPickle } from './pickle.js';
import { ForeignObject } from './pickle-objects.js';

/** What Python's pickle wrote of one dictionary, in several protocols. */
const written = (protocol: number) =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/formats/numpy${protocol}.pkl`, import.meta.url)));
const ascii = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
const refusal = (bytes: Uint8Array) => {
  try {
    const value = readPickle(bytes, { globals: numpyGlobals });
    // what a known name could not make of its arguments is inert, and says why
    if (value instanceof ForeignObject && value.reason !== undefined) return value.reason;
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

  it('executes nothing: a name outside the tables makes an inert object that keeps what the file says', () => {
    const owned = join(tmpdir(), `bulwark-owned-${process.pid}`);
    const objects: readonly [string, string][] = [
      ['os.system', `cos\nsystem\n(S'touch ${owned}'\ntR.`],
      ['builtins.eval', 'cbuiltins\neval\n(S"1"\ntR.'],
      ['nt.system', '\x80\x04\x8c\x02nt\x8c\x06system\x93)R.'],
      ['os.system', `(cos\nsystem\nS'touch ${owned}'\no.`],
      ['os.system', `(S'touch ${owned}'\nios\nsystem\n.`],
      ['os.system', `cos\nsystem\n(S'touch ${owned}'\nt\x81.`],
      ['os.system', `cos\nsystem\n(S'touch ${owned}'\nt}\x92.`],
      ['__builtin__.__proto__', 'c__builtin__\n__proto__\n)R.'],
    ];
    for (const [className, pickle] of objects) {
      const value = readPickle(ascii(pickle), { globals: numpyGlobals });
      expect(value).toBeInstanceOf(ForeignObject);
      expect((value as ForeignObject).className).toBe(className);
    }
    expect(existsSync(owned)).toBe(false);
    expect(({} as { owned?: unknown }).owned).toBeUndefined();
  });

  it('keeps attributes and items of objects of other classes as data, beside everything else', () => {
    const namespace = "cargparse\nNamespace\n)\x81}S'lr'\nF0.1\nsb";
    const counter = 'ccollections\nCounter\n(}I3\nI1\nstR';
    const defaults = "ccollections\ndefaultdict\n(cbuiltins\nlist\ntRS'a'\nI1\ns";
    const bag = "cmine\nBag\n)\x81S'k'\nI7\ns(I1\nI2\ne";
    const [args, milestones, plain, own] = readPickle(ascii(`(${namespace}${counter}${defaults}${bag}t.`)) as unknown[];
    expect((args as ForeignObject).state).toEqual(new Map([['lr', 0.1]]));
    expect(String(args)).toBe('an object of class argparse.Namespace');
    expect(milestones).toEqual(new Map([[3, 1]]));
    expect(plain).toEqual(new Map([['a', 1]]));
    expect([(own as ForeignObject).entries, (own as ForeignObject).items]).toEqual([new Map([['k', 7]]), [1, 2]]);
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

  it('reads numpy arrays in the other byte order, and of halves', () => {
    const array = (type: string, order: string, bytes: string) =>
      ascii(
        `cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n(S'${type}'\nI0\nI1\ntR(I3\nS'${order}'\nNNNI-1\nI-1\nI0\ntbI00\nS'${bytes}'\ntb.`,
      );
    const read = (bytes: Uint8Array) => (readPickle(bytes, { globals: numpyGlobals }) as PickledArray).data;
    expect(read(array('i2', '>', 'abcd'))).toEqual(Int16Array.of(0x6162, 0x6364));
    expect(read(array('i2', '<', 'abcd'))).toEqual(Int16Array.of(0x6261, 0x6463));
    expect(read(array('f2', '<', '\\x00<\\x00@'))).toEqual(Float32Array.of(1, 2));
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
