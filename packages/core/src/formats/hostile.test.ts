import { describe, expect, it } from '@jest/globals';
import { numpyGlobals } from './numpy-pickle.js';
import { readPickle } from './pickle.js';

/** Operations of pickles, by hand. */
type Part = string | number | Uint8Array;
const bytes = (...parts: readonly Part[]) =>
  new Uint8Array(
    Buffer.concat(
      parts.map((part) =>
        typeof part === 'number'
          ? Buffer.of(part)
          : typeof part === 'string'
            ? Buffer.from(part, 'latin1')
            : Buffer.from(part),
      ),
    ),
  );
const uint32 = (value: number) => Uint8Array.from([0, 8, 16, 24], (shift) => value >>> shift);
const many = (count: number, part: Uint8Array) => new Uint8Array(Buffer.alloc(Math.ceil(count) * part.length, part));
const read = (...parts: readonly Part[]) => readPickle(bytes('\x80\x02', ...parts), { globals: numpyGlobals });
/** Puts a value into the memo under a number, and takes it off the stack. */
const remember = (key: number) => bytes('q', key, '0');
/** A list of two references to the list before it, again and again: 2^levels values in all. */
const doubling = (levels: number) =>
  bytes(
    ']X\x01\x00\x00\x00xa',
    remember(0),
    ...Array.from({ length: levels }, (_, i) => bytes('](h', i, 'h', i, 'e', remember(i + 1))),
  );

const megabyte = 2 ** 20;

describe('a pickle of a few bytes', () => {
  it.each([
    ['a type of numbers', bytes('cnumpy\ndtype\nh', 60, '\x85R.')],
    ['a name of a module', bytes('h', 60, 'X\x01\x00\x00\x00a\x93.')],
    ['a key', bytes('}h', 60, 'Ns.')],
    ['an argument of a class of its own', bytes('ca\nb\nh', 60, '\x85R.')],
    ['a persistent id', bytes('h', 60, 'Q.')],
  ])('with lists that hold 2^60 values is read or refused, without looking at all of them: as %s', (_what, use) => {
    let outcome: unknown;
    try {
      outcome = typeof read(doubling(60), use);
    } catch (error) {
      outcome = (error as { code?: string }).code;
    }
    expect(['object', 'WEIGHTS_INVALID']).toContain(outcome);
  });

  const text = bytes('T', uint32(megabyte), new Uint8Array(megabyte).fill(97));
  const ascii = bytes('X', uint32(megabyte), new Uint8Array(megabyte).fill(97));
  const array = (fortran: boolean) =>
    bytes(
      ...[
        'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n(K\x00tU\x01b\x87R(K\x01(J',
        uint32(1024),
        'J',
        uint32(1024),
        't',
      ],
      ...['cnumpy\ndtype\nU\x02u1\x85R', fortran ? '\x88' : '\x89', 'h\x00tb0'],
    );

  it.each([
    [
      'text encoded again and again',
      bytes(ascii, remember(0)),
      bytes('c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R0'),
    ],
    ['Fortran arrays of one buffer', bytes(text, remember(0)), array(true)],
    [
      'counters of one dictionary',
      bytes('}(', ...Array.from({ length: 20_000 }, (_, i) => bytes('J', uint32(i), 'N')), 'u', remember(0)),
      bytes('ccollections\nCounter\nh\x00\x85R0'),
    ],
    ['dictionaries', bytes(), bytes('}0')],
    ['objects of classes of its own', bytes('ca\nb\n', remember(0)), bytes('h\x00)R0')],
  ])('may not swell by %s', (_what, before, each) => {
    const enough = Math.ceil((megabyte * 1024) / 256 / 100);
    expect(() => read(before, many(Math.max(enough, 8_000_000 / each.length), each), 'N.')).toThrow(
      /would take .* a file of/,
    );
    expect(() => read(before, many(10, each), 'N.')).not.toThrow();
  });
});
