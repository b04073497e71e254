import { describe, expect, it } from '@jest/globals';
import { together, type Collective } from '../collective/index.js';
import { BulwarkError } from '../errors.js';
import type { Objective } from '../hooks/index.js';
import { checkSynchronised } from '../trainer/index.js';
import type { ComposedRun } from './compose.js';
import type { RunConfig } from './config.js';
import { checkSameOnAll, ranksChanged } from './ranks.js';
import type { FrozenConfig } from './run-folder.js';
import { isSynchronised, warnOfSynchronised } from './synchronised.js';

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
    seconds: 60,
    allGather: (values) => texts(decode(values)).map((text) => Float32Array.from(new TextEncoder().encode(text))),
    barrier: () => undefined,
    ...{ allReduce: unused, broadcast: unused, abort: unused, close: unused },
  };
};

const config = {
  seed: 1,
  engine: { use: 'wasm' },
  data: { use: 'x', batchSize: 8, accumulate: 2 },
} as unknown as RunConfig;
const frozen = { config, engine: 'wasm', versions: { bulwark: '0.1.0', node: 'v20.1.0' } };
const train = { images: new Uint8Array(4), labels: new Int32Array(1), shape: [2, 2, 1] as const };
const composed = (statistics = 0, batchNorm: RunConfig['batchNorm'] = {}) => {
  const model = { name: 'net', statistics: new Map(Array.from({ length: statistics }, (_, i) => [String(i), 0])) };
  return { config: { batchNorm }, parts: { data: { train }, model, objective: {} } } as unknown as ComposedRun;
};

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

  it.each([
    [-3600, /^the clock of rank 1 on \S+ is 3600 s behind that of rank 0/],
    [40, /^the clock of rank 1 on \S+ is 40 s ahead of/],
    [10, undefined],
  ])('is the clock, of which it only warns: %s s', (seconds, message) => {
    const other = (text: string) => {
      const introduction = JSON.parse(text) as { clock: number };
      return JSON.stringify({ ...introduction, clock: introduction.clock + 1000 * seconds });
    };
    const told: string[] = [];
    checkSameOnAll(beside(other), frozen, composed(), (text) => told.push(text));
    expect(told).toEqual(message ? [expect.stringMatching(message)] : []);
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

describe('BatchNorm over all ranks', () => {
  const synchronised = { use: 'synchronised' } as const;
  const two = beside((text) => text);
  const told = (...[run, collective]: [ComposedRun, Collective?]) => {
    const found: string[] = [];
    warnOfSynchronised(run, { collective, warn: (text) => found.push(text) });
    return found;
  };

  it.each([
    ['one process', composed(2, synchronised), undefined, /no effect: one process trains/],
    ['a model without BatchNorm', composed(0, synchronised), two, /no effect: the model net has no BatchNorm/],
  ])('says where it changes nothing: %s', (_what, run, collective, message) => {
    expect(told(run, collective)).toEqual([expect.stringMatching(message)]);
    expect(isSynchronised(run, collective)).toBe(false);
  });

  it('says nothing else', () => {
    expect([told(composed(2, synchronised), two), told(composed(2)), told(composed(2), two)]).toEqual([[], [], []]);
    expect([isSynchronised(composed(2, synchronised), two), isSynchronised(composed(2), two)]).toEqual([true, false]);
  });

  it('is refused where passes cannot ask other ranks', () => {
    const { model } = composed(2).parts;
    const can = { ...model, acrossRanks: true };
    const objective = { name: 'objective of tests' } as Objective;
    const given = { model: can, objective, accumulate: 1 };
    const refusal = (more: Partial<typeof given>) => () => checkSynchronised({ ...given, ...more });
    expect(refusal({})).not.toThrow();
    expect(refusal({ model: composed(0).parts.model as never })).not.toThrow();
    expect(refusal({ model: model as never })).toThrow(/synchronised does not go with the model net, whose passes/);
    const twice = { ...objective, secondOrder: [{ name: 'alignment' }] } as unknown as Objective;
    expect(refusal({ objective: twice })).toThrow(/objective of tests, whose alignment term is differentiated twice/);
    const helped = { ...objective, companions: new Map([['helper', model]]) };
    expect(refusal({ objective: helped })).toThrow(/with the model net/);
    expect(refusal({ accumulate: 2 })).toThrow(/with data.accumulate: 2/);
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
  const change = (before: number | undefined, now: number, run = composed()) => {
    const told: string[] = [];
    const collective = now > 1 ? { ...beside((text) => text), size: now } : undefined;
    const what = ranksChanged({ config, ranks: before } as FrozenConfig, {
      ...{ collective, composed: run },
      warn: (text) => told.push(text),
    });
    return { what, told };
  };

  it('says what changes', () => {
    expect(change(2, 2)).toEqual({ what: undefined, told: [] });
    expect(change(undefined, 1)).toEqual({ what: undefined, told: [] });
    const { what, told } = change(2, 4, composed(6));
    expect(what).toEqual({ ranks: 4 });
    expect(told).toEqual([
      expect.stringMatching(/^2 ranks trained this run, 4 go on: BatchNorm .* 4 parts .* 8 parts/),
    ]);
    expect(change(2, 4, composed(6, { use: 'synchronised' })).told).toEqual([
      expect.stringMatching(/4 go on: sums are rounded/),
    ]);
    expect(change(2, 1)).toEqual({
      what: { ranks: undefined },
      told: [expect.stringMatching(/1 goes on: sums are rounded/)],
    });
  });
});
