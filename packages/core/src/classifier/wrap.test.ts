import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../engine/index.js';
import { networkGraph, type Pass, type PassRequest } from '../network/index.js';
import { createRandom } from '../random.js';
import {
  countingClassifier,
  createNetwork,
  logitsOf,
  straightThrough,
  surrounded,
  withComputeDtype,
  withStatisticsMomentum,
  type Classifier,
} from './index.js';

beforeAll(() => useEngine('cpu'));

const graph = networkGraph([4, 3, 2], (g) => {
  const stem = g.batchNorm('bn', g.conv('conv', g.input, { filters: 3, kernel: 3 }));
  return g.linear('fc', g.globalAveragePool(g.relu(stem)), { units: 3 });
});
const network = () => createNetwork(graph, { name: 'net', random: createRandom(1) });

/** All members are those of the class, and none would work with another `this`. */
class OfClass implements Classifier {
  readonly #inner: Classifier;
  constructor(inner: Classifier) {
    this.#inner = inner;
  }
  get name() {
    return this.#inner.name;
  }
  get inputShape() {
    return this.#inner.inputShape;
  }
  get classes() {
    return this.#inner.classes;
  }
  get parameters() {
    return this.#inner.parameters;
  }
  get statistics() {
    return this.#inner.statistics;
  }
  pass(images: readonly tf.Tensor4D[], request: PassRequest): Pass {
    return new PassOfClass(this.#inner.pass(images, request));
  }
  taped(images: tf.Tensor4D, mode: PassRequest['mode']) {
    return this.#inner.taped(images, mode);
  }
  applyStatistics(...given: Parameters<Classifier['applyStatistics']>) {
    this.#inner.applyStatistics(...given);
  }
  dispose() {
    this.#inner.dispose();
  }
}
class PassOfClass implements Pass {
  readonly #inner: Pass;
  constructor(inner: Pass) {
    this.#inner = inner;
  }
  get logits() {
    return this.#inner.logits;
  }
  get statistics() {
    return this.#inner.statistics;
  }
  pullback(...given: Parameters<Pass['pullback']>) {
    return this.#inner.pullback(...given);
  }
  dispose() {
    this.#inner.dispose();
  }
}
/** Knows no member before it is asked for one. */
const virtual = (model: Classifier): Classifier =>
  new Proxy({} as Classifier, { get: (_none, key) => model[key as keyof Classifier] });

const forms: [string, (model: Classifier) => Classifier][] = [
  ['as it is', (model) => model],
  ['in an object of functions', (model) => ({ ...model })],
  ['in a class', (model) => new OfClass(model)],
  ['in a class that extends one', (model) => new (class extends OfClass {})(model)],
  ['in a proxy', (model) => new Proxy(model, {})],
  ['in a proxy that lists nothing', virtual],
];
const wrappers: [string, (model: Classifier) => Classifier][] = [
  ['countingClassifier', (model) => countingClassifier(model).model],
  ['withComputeDtype', (model) => withComputeDtype(model, 'bfloat16')],
  ['withStatisticsMomentum', (model) => withStatisticsMomentum(model, 0.1)],
  ['surrounded by the identity', (model) => surrounded(model, { before: (x) => x, after: (z) => z })],
  ['straightThrough', (model) => straightThrough(surrounded(model, { before: (x) => x }))!],
];

/** All numbers of a pass there and back, and of what it leaves behind. */
function numbersOf(model: Classifier): Record<string, number[]> {
  const [x, dLogits] = [createRandom(2).normal<tf.Rank.R4>([2, 4, 3, 2]), createRandom(3).normal<tf.Rank.R2>([2, 3])];
  model.pass([x], { mode: 'batch', wrt: 'parameters' }).dispose(); // frees weights that an evaluation before left
  const before = tf.memory().numTensors;
  const pass = model.pass([x], { mode: 'batch', wrt: 'all' });
  const kept = pass.pullback([dLogits], { keep: true });
  tf.dispose([...kept.images, ...kept.parameters.values()]);
  const { images, parameters } = pass.pullback([dLogits]);
  model.applyStatistics(pass.statistics[0]!);
  const named = { logits: pass.logits[0]!, images: images[0]!, ...Object.fromEntries(parameters) };
  const found = Object.fromEntries(Object.entries(named).map(([name, tensor]) => [name, [...tensor.dataSync()]]));
  tf.dispose([...images, ...parameters.values()]);
  pass.dispose();
  expect(tf.memory().numTensors).toBe(before);
  expect([x, dLogits].map(({ isDisposed }) => isDisposed)).toEqual([false, false]);
  const evaluated = logitsOf(model, x);
  found['evaluated'] = [...evaluated.dataSync()];
  tf.dispose([x, dLogits, evaluated]);
  return found;
}

describe.each(forms)('a classifier %s', (_form, form) => {
  it.each(wrappers)('computes the same through %s', (_name, wrap) => {
    const [bare, given] = [network(), network()];
    const wrapped = wrap(form(given));
    expect(numbersOf(wrapped)).toEqual(numbersOf(bare));
    expect([wrapped.name, wrapped.classes, wrapped.inputShape]).toEqual(['net', 3, [4, 3, 2]]);
    expect([...wrapped.parameters.keys()]).toEqual([...bare.parameters.keys()]);
    wrapped.dispose();
    expect([...given.parameters.values()].every(({ isDisposed }) => isDisposed)).toBe(true);
    bare.dispose();
  });
});

describe('functions around a classifier', () => {
  it('may give back what they hold, which stays theirs', () => {
    const [model, held] = [network(), tf.ones<tf.Rank.R4>([2, 4, 3, 2])];
    const found = numbersOf(surrounded(model, { before: () => held }));
    expect(held.isDisposed).toBe(false);
    expect(new Set(found['images'])).toEqual(new Set([0]));
    held.dispose();
    model.dispose();
  });

  it('leave no tensor behind where they fail, nor where the model does', () => {
    const [model, x] = [network(), tf.ones<tf.Rank.R4>([2, 4, 3, 2])];
    const fails = (z: tf.Tensor): never => {
      tf.exp(tf.square(z));
      throw new Error('no');
    };
    const before = tf.memory().numTensors;
    for (const around of [
      { before: fails },
      { after: fails },
      { before: (y: tf.Tensor4D) => tf.tile(tf.square(y), [1, 2, 1, 1]) },
    ])
      expect(() => surrounded(model, around).pass([x], { mode: 'batch', wrt: 'all' })).toThrow();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });

  it('of logits do not hide that images are changed first', () => {
    const model = network();
    const rounded = surrounded(model, { before: (x) => tf.round(x) });
    const outer = surrounded(rounded, { after: (z) => tf.mul(z, 2) });
    expect(new Set(numbersOf(outer)['images'])).toEqual(new Set([0]));
    const through = straightThrough(outer)!;
    const found = numbersOf(through);
    const inner = numbersOf(straightThrough(rounded)!);
    expect(found['images']!.some((value) => value !== 0)).toBe(true);
    found['images']!.forEach((value, at) => expect(value).toBeCloseTo(2 * inner['images']![at]!, 5));
    model.dispose();
  });
});
