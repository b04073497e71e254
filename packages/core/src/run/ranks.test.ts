import { describe, expect, it } from '@jest/globals';
import { together, type Collective } from '../collective/index.js';
import { BulwarkError } from '../errors.js';
import type { ComposedRun } from './compose.js';
import type { RunConfig } from './config.js';
import { checkSameOnAll, ranksChanged } from './ranks.js';
import type { FrozenConfig } from './run-folder.js';

/** Two ranks of which the other one says what `answer` makes of this one's text. */
const beside = (answer: (text: string) => string, rank = 0): Collective => {
  const texts = (own: string) => (rank === 0 ? [own, answer(own)] : [answer(own), own]);
  const decode = (values: Float32Array) => new TextDecoder().decode(Uint8Array.from(values));
  const unused = () => {
    throw new Error('not used here');
  };
  return {
    rank,
    size: 2,
    allGather: (values) => texts(decode(values)).map((text) => Float32Array.from(new TextEncoder().encode(text))),
    ...{ allReduce: unused, broadcast: unused, barrier: unused, abort: unused, close: unused },
  };
};

const config = {
  seed: 1,
  engine: { use: 'wasm' },
  data: { use: 'x', batchSize: 8, accumulate: 2 },
} as unknown as RunConfig;
const frozen = { config, engine: 'wasm', versions: { bulwark: '0.1.0', node: 'v20.1.0' } };
const train = { images: new Uint8Array(4), labels: new Int32Array(1), shape: [2, 2, 1] as const };
const composed = (statistics = 0) =>
  ({ parts: { data: { train }, model: { statistics: { size: statistics } } } }) as unknown as ComposedRun;

describe('what ranks compare before they train', () => {
  it.each<[string, (text: string) => string, RegExp]>([
    [
      'version',
      (t) => t.replace('"bulwark":"0.1.0"', '"bulwark":"0.2.0"'),
      /^rank 1 on .* has Bulwark 0\.2\.0, rank 0 on .* 0\.1\.0$/,
    ],
    ['Node', (t) => t.replace('"node":"v20"', '"node":"v24"'), /runs Node v24, .* v20$/],
    ['engine', (t) => t.replace('"engine":"wasm"', '"engine":"torch"'), /computes with the engine torch, .* wasm$/],
    ['seed', (t) => t.replace('"seed":1', '"seed":2'), /has seed: 2, rank 0 on .* 1$/],
    ['batches', (t) => t.replace('"batchSize":8', '"batchSize":16'), /has data: .*16.*, rank 0 on .*8/],
    [
      'a section more',
      (t) => t.replace('"seed":1', '"seed":1,"averaging":{"use":"ema"}'),
      /has averaging: .*ema.*nothing$/,
    ],
    ['images', (t) => t.replace(/"data":"\w+"/, '"data":"123"'), /has other training images, of digest 123/],
  ])('is %s', (_what, answer, message) => {
    const different = expect.objectContaining({ code: 'RANKS_DIFFER', message: expect.stringMatching(message) });
    expect(() => checkSameOnAll(beside(answer), frozen, composed())).toThrow(different as never);
  });

  it('lets equal ones pass, and refuses batches that are too small to be shared', () => {
    expect(() =>
      checkSameOnAll(
        beside((text) => text),
        frozen,
        composed(),
      ),
    ).not.toThrow();
    const small = { ...frozen, config: { ...config, data: { ...config.data, batchSize: 3 } } };
    expect(() =>
      checkSameOnAll(
        beside((text) => text),
        small,
        composed(),
      ),
    ).toThrow(/batchSize is 3, too few for 2 ranks/);
  });
});

describe('what is done together', () => {
  it('fails on all ranks where it fails on one, with the error of that one', async () => {
    const failed = JSON.stringify({ code: 'DATA_MISSING', message: 'no images', hint: 'get some' });
    const elsewhere = expect.objectContaining({ code: 'DATA_MISSING', message: 'rank 1: no images', hint: 'get some' });
    await expect(
      together(
        beside(() => failed),
        () => 1,
      ),
    ).rejects.toEqual(elsewhere);
    const own = new BulwarkError('DATA_MISSING', 'none here');
    await expect(
      together(
        beside(() => ''),
        () => Promise.reject(own),
      ),
    ).rejects.toBe(own);
    expect(
      await together(
        beside(() => ''),
        () => 1,
      ),
    ).toBe(1);
  });
});

describe('a run that goes on with another number of ranks', () => {
  const change = (before: number | undefined, now: number, statistics = 0) => {
    const told: string[] = [];
    const collective = now > 1 ? { ...beside((text) => text), size: now } : undefined;
    const what = ranksChanged({ config, ranks: before } as FrozenConfig, {
      ...{ collective, composed: composed(statistics) },
      warn: (text) => told.push(text),
    });
    return { what, told };
  };

  it('says what changes', () => {
    expect(change(2, 2)).toEqual({ what: undefined, told: [] });
    expect(change(undefined, 1)).toEqual({ what: undefined, told: [] });
    const { what, told } = change(2, 4, 6);
    expect(what).toEqual({ ranks: 4 });
    expect(told).toEqual([
      expect.stringMatching(/^2 ranks trained this run, 4 go on: BatchNorm .* 4 parts .* 8 parts/),
    ]);
    expect(change(2, 1)).toEqual({
      what: { ranks: undefined },
      told: [expect.stringMatching(/1 goes on: sums are rounded/)],
    });
  });
});
