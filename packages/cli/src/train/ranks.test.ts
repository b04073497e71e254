import { beforeAll, describe, expect, it } from '@jest/globals';
import { createRandom, randomOfPart, useEngine } from '@bulwark/core';
import { builtinRegistry } from '../registry.js';
import { withPatience } from '../testing.js';
import { trainAll, trainOnThreads, type Trained } from './ranks-testing.js';

const inner = { steps: 2, stepSize: 0.05 };
const norms = [
  { norm: 'linf', epsilon: 0.1 },
  { norm: 'l1', epsilon: 3 },
];
const helper = { use: 'small-cnn', width: 2 };
/** Options that keep methods quick; of those that are not here, the defaults do. */
const options: Readonly<Record<string, object>> = {
  ...Object.fromEntries(
    ['at', 'trades', 'mart', 'st', 'collaborative', 'rst', 'st-rst', 'score'].map((n) => [n, { inner }]),
  ),
  ...Object.fromEntries(['gairat', 'gair-rst', 'mail'].map((name) => [name, { inner, burnIn: 0 }])),
  ...Object.fromEntries(['max', 'avg', 'e-at', 'ramp'].map((name) => [name, { norms, steps: 2 }])),
  'two-neighbours': { of: { use: 'trades', inner } },
  bat: { inner, bridges: 2 },
  'free-at': { replays: 2 },
  hat: { helper, inner },
  arow: { inner },
  ard: { teacher: helper, inner },
  rslad: { teacher: helper, inner },
  msd: { steps: 2 },
  lbgat: { companion: helper, inner },
  compose: { inner: { use: 'pgd', ...inner }, regularizer: 'js' },
};

/** 45 images in batches of 10: the last is short and odd. Four epochs of five steps. */
const data = (accumulate: number, more: object = {}) => ({
  use: 'tiny',
  train: 45,
  batchSize: 10,
  accumulate,
  ...more,
});
const partly = { unlabelled: 3 };
const at = { use: 'at', inner };
const methods = builtinRegistry().list('objective').map(({ name }) => name); // prettier-ignore
const cases: Readonly<Record<string, { over: Record<string, unknown>; data?: object }>> = {
  ...Object.fromEntries(methods.map((use) => [use, { over: { objective: { use, ...options[use] } } }])),
  'fast-at with the last start': { over: { objective: { use: 'fast-at', init: 'previous' } } },
  awp: { over: { objective: at, weightPerturber: 'awp' } },
  rwp: { over: { objective: at, weightPerturber: { use: 'rwp', steps: 2 } } },
  'compose, some without labels': {
    over: { objective: { use: 'compose', inner: { use: 'pgd', ...inner }, regularizer: 'kl' } },
    data: partly,
  },
  'rst, some without labels': { over: { objective: { use: 'rst', inner } }, data: partly },
  'ema, clipped, mixed labels': {
    over: {
      objective: at,
      averaging: { use: 'ema', statistics: 'copied' },
      optimizer: { use: 'adamw', learningRate: 0.01, clipNorm: 1 },
    },
    data: { augment: ['mixup'] },
  },
  augmented: { over: { objective: 'natural' }, data: { augment: ['random-crop', 'horizontal-flip', 'cutout'] } },
  swa: { over: { objective: at, averaging: { use: 'swa', from: 2 } } },
};

const configs = (names: readonly string[], accumulate: number) =>
  names.map((name) => ({ epochs: 4, ...cases[name]!.over, data: data(accumulate, cases[name]!.data) }));

function expectClose(found: Trained, wanted: Trained): void {
  expect(Object.keys(found.tensors)).toEqual(Object.keys(wanted.tensors));
  for (const [name, values] of Object.entries(wanted.tensors)) {
    const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - found.tensors[name]![i]!)), 0);
    expect({ name, close: worst <= 1e-5 }).toEqual({ name, close: true });
    expect(values.some((value) => !Number.isFinite(value))).toBe(false);
  }
  expect(found.history).toHaveLength(wanted.history.length);
}

beforeAll(() => useEngine({ use: 'wasm', threads: 1 }));

describe('several ranks that train together', () => {
  it(
    'come to what one does that works through each batch in as many parts: every objective and perturber',
    async () => {
      const names = Object.keys(cases);
      const single = await trainAll(configs(names, 2));
      const [first, second] = await trainOnThreads(configs(names, 1), 2);
      for (const [i, name] of names.entries()) {
        const where = { name, ranks: [first![i]!, second![i]!] };
        expect(where.ranks[1]!.tensors).toEqual(where.ranks[0]!.tensors);
        expect(where.ranks[1]!.values).toEqual(where.ranks[0]!.values);
        expectClose(first![i]!, single[i]!);
      }
    },
    withPatience(240_000),
  );

  it(
    'do so with four of them, where some batches have fewer examples than ranks',
    async () => {
      const few = ['free-at', 'compose, some without labels', 'fast-at with the last start', 'awp'];
      const small = configs(few, 1).map((config) => ({ ...config, data: { ...config.data, train: 23 } }));
      const single = await trainAll(small.map((config) => ({ ...config, data: { ...config.data, accumulate: 4 } })));
      const ranks = await trainOnThreads(small, 4);
      for (const i of few.keys()) for (const rank of ranks) expectClose(rank[i]!, single[i]!);
    },
    withPatience(120_000),
  );
});

describe('ranks whose BatchNorms normalise with the whole batch', () => {
  // their weights compare the examples of a part with each other, or they differentiate twice, which is refused
  const byParts = ['gairat', 'gair-rst', 'ramp', 'grad-align'];
  const gentle: typeof cases = {
    ...cases,
    // with its usual 1000, rounding alone moves a step by 1e-4
    elle: { over: { objective: { use: 'elle', lambda: 10 } } },
  };
  /** Those whose attacks no other rounding turns: signs of gradients that are nearly 0 fall elsewhere on another engine, too. */
  const steady = ['natural', 'at', 'mart', 'free-at', 'msd', 'fast-at with the last start', 'awp', 'swa'];
  const whole = (names: readonly string[], more: object) =>
    names.map((name) => {
      const { over, data: own } = gentle[name]!;
      return { epochs: 4, ...over, data: data(1, { ...own, ...more }), batchNorm: 'synchronised' };
    });

  it(
    'come to what one does that has it, in uneven parts: every objective and perturber',
    async () => {
      const names = Object.keys(cases).filter((name) => !byParts.includes(name));
      const all = [
        ...whole(steady, {}),
        ...whole(names, { train: 19 }).map((config) => ({ ...config, epochs: 1 })),
        { ...whole(['at'], { train: 3 })[0]!, epochs: 1, data: { use: 'tiny', train: 3, batchSize: 2 } },
      ];
      const single = await trainAll(all);
      const [first, second] = await trainOnThreads(all, 2);
      for (const i of all.keys()) {
        expect(second![i]!.tensors).toEqual(first![i]!.tensors);
        expectClose(first![i]!, single[i]!);
      }
    },
    withPatience(240_000),
  );
});

describe('ranks that come to different weights', () => {
  const config = { epochs: 2, objective: 'natural', data: data(1) };

  it('go on from those of rank 0 where rounding explains it, and say so', async () => {
    const ranks = await trainOnThreads([config], 2, 1e-6);
    const [first, second] = ranks.map(([run]) => run!);
    expect(second!.tensors).toEqual(first!.tensors);
    const told = /^rank 1 on \S+ has come to another state than rank 0, first in model\/fc.bias, by 0\.00000\d+ of/;
    expect(first!.warnings).toEqual([expect.stringMatching(told)]);
  });

  it('end where it does not, with the ranks and the first tensor', async () => {
    const message = /^rank 1 on \S+ has come to another state than rank 0, first in model\/fc.bias, by 0\.\d+ of/;
    await expect(trainOnThreads([config], 2, 0.1)).rejects.toThrow(message);
  });
});

describe('noise of a part of a batch', () => {
  it('is that of its examples in the whole, block by block; all else is the same for every part', async () => {
    const whole = createRandom(1, 'noise');
    const [uniform, blocks, number, normal] = [
      whole.uniform([5, 2], -1, 1),
      whole.uniform([10, 3]),
      whole.next(),
      whole.normal([5, 1, 2]),
    ].map((drawn) => (typeof drawn === 'number' ? drawn : drawn.arraySync())) as [
      number[][],
      number[][],
      number,
      number[],
    ];
    const part = randomOfPart(createRandom(1, 'noise'), { from: 2, count: 2, total: 5 });
    expect(part.uniform([2, 2], -1, 1).arraySync()).toEqual(uniform.slice(2, 4));
    expect(part.uniform([4, 3]).arraySync()).toEqual([...blocks.slice(2, 4), ...blocks.slice(7, 9)]);
    expect(part.next()).toBe(number);
    expect(part.normal([2, 1, 2]).arraySync()).toEqual(normal.slice(2, 4));
  });
});
