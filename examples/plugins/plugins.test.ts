import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { logitsOf, useEngine, type Classifier, type Objective, type Plugin, type Views } from '@bulwark/core';
import { craftContext, describeObjective, fixtureBatch, fixtureNetwork, makePlugin } from '@bulwark/core/testing';
import { modelPlugins } from '@bulwark/models';
import * as tf from '@tensorflow/tfjs-core';
import { arow } from './arow.js';
import { hat } from './hat.js';
import { mail } from './mail.js';

const inner = { steps: 2 };
const helper = { use: 'small-cnn', width: 2 };

describeObjective(hat, {
  options: { helper, inner },
  plugins: modelPlugins,
  refused: [{ helper: 'no-such-model' }, { stretch: 0.5 }],
});
describeObjective(mail, { options: { inner, burnIn: 0 }, detached: ['classification'], refused: [{ burnIn: 2 }] });
describeObjective(arow, { options: { inner }, refused: [{ smoothing: 1.5 }, { beta: -1 }] });

beforeAll(() => useEngine('wasm'));

it.each(['hat', 'mail', 'arow'])('%s takes at most 60 lines of code and the public API only', (name) => {
  const source = readFileSync(new URL(`${name}.ts`, import.meta.url), 'utf8');
  const code = source
    .replace(/import[^;]*;/g, '')
    .split('\n')
    .filter((line) => line.trim() && !/^\s*(\/?\*|\/\/)/.test(line));
  expect(code.length).toBeLessThanOrEqual(60);
  const imports = [...source.matchAll(/from '([^']+)'/g)].map(([, from]) => from);
  for (const from of imports) expect(['@bulwark/core', '@bulwark/objectives', '@tensorflow/tfjs-core']).toContain(from);
});

const natural = [2, 0, -1];
const adversarial = [0.5, 1, 0];
const softmax = (z: number[]) => {
  const total = z.reduce((sum, value) => sum + Math.exp(value), 0);
  return z.map((value) => Math.exp(value) / total);
};
const [p, q] = [softmax(natural), softmax(adversarial)];
const divergence = p.reduce((sum, value, i) => sum + value * Math.log(value / q[i]!), 0);

/** Value of a term for one example (or several) with given logits. */
function valueOf(
  objective: Objective,
  name: string,
  given: { logits: Record<string, number[][]>; labels: number[]; facts?: Record<string, tf.Tensor> },
) {
  const views = {
    batch: { ...fixtureBatch(given.labels) },
    classes: 3,
    logits: (role: string) => tf.tensor2d(given.logits[role]!),
    fact: (fact: string) => given.facts![fact]!,
  } as unknown as Views;
  return [
    ...objective.terms
      .find((term) => term.name === name)!
      .values(views)
      .dataSync(),
  ];
}

const make = (plugin: Plugin<'objective'>, options: object) =>
  makePlugin(plugin, { options: options as Record<string, unknown>, plugins: modelPlugins });

describe('arow', () => {
  const objective = make(arow, { beta: 7, smoothing: 0.2, inner });

  it('weighs the KL of Eq. 8 by 1 - p_y at the adversarial point', () => {
    const [value] = valueOf(objective, 'regularizer', {
      logits: { natural: [natural], adversarial: [adversarial] },
      labels: [0],
    });
    expect(value).toBeCloseTo(divergence * (1 - q[0]!), 6);
    expect(objective.terms.find(({ name }) => name === 'regularizer')!.weight).toBe(7);
  });

  it('smooths labels: 0.8 of the label and 0.2 spread evenly over all classes', () => {
    const [value] = valueOf(objective, 'classification', { logits: { natural: [natural] }, labels: [1] });
    const even = -p.reduce((sum, value_) => sum + Math.log(value_), 0) / 3;
    expect(value).toBeCloseTo(0.8 * -Math.log(p[1]!) + 0.2 * even, 6);
  });
});

describe('mail', () => {
  const margin = (z: number[], y: number) => softmax(z)[y]! - Math.max(...softmax(z).filter((_, j) => j !== y));
  const logits = [natural, adversarial, [0, 0, 3]];
  const labels = [0, 0, 2];
  const losses = (options: object, reweigh: number) =>
    valueOf(make(mail, { inner, ...options }), 'classification', {
      logits: { adversarial: logits },
      labels,
      facts: { reweigh: tf.fill([3], reweigh) },
    });
  const plain = logits.map((z, i) => -Math.log(softmax(z)[labels[i]!]!));

  it('weighs cross-entropy by the sigmoid of the margin, scaled to mean 1', () => {
    const raw = logits.map((z, i) => 1 / (1 + Math.exp(10 * (margin(z, labels[i]!) - 0.5))));
    const mean = raw.reduce((a, b) => a + b) / 3;
    losses({}, 1).forEach((value, i) => expect(value).toBeCloseTo((plain[i]! * raw[i]!) / mean, 5));
  });

  it('is plain cross-entropy in the burn-in, and with a slope of 0', () => {
    losses({}, 0).forEach((value, i) => expect(value).toBeCloseTo(plain[i]!, 6));
    losses({ slope: 0 }, 1).forEach((value, i) => expect(value).toBeCloseTo(plain[i]!, 6));
  });

  it('begins to reweigh after its share of the epochs', () => {
    const model = fixtureNetwork();
    const fact = (epoch: number) => {
      const context = craftContext(model, {}, { epoch, epochs: 100 });
      return make(mail, { inner })
        .inner.craft(fixtureBatch([0]), context)
        .facts!['reweigh']!.dataSync()[0];
    };
    expect([fact(0), fact(74), fact(75), fact(99)]).toEqual([0, 0, 1, 1]);
    model.dispose();
  });
});

describe('hat', () => {
  it('puts the helper twice as far as the adversarial point, labelled by the standard model', () => {
    const objective = make(hat, { helper, inner });
    const model = fixtureNetwork();
    const batch = fixtureBatch();
    const { points, facts } = objective.inner.craft(batch, craftContext(model, {}));
    const far = tf.sub(points['helper']!, batch.images);
    const near = tf.sub(points['adversarial']!, batch.images);
    expect(Math.max(...tf.abs(tf.sub(far, tf.mul(2, near))).dataSync())).toBeLessThan(1e-6);
    // the same seed makes the same standard model
    const standard = makePlugin(modelPlugins.find(({ name }) => name === 'small-cnn') as Plugin<'model'>, {
      options: { width: 2 },
    });
    const expected = tf.argMax(logitsOf(standard as Classifier, points['adversarial']!), 1);
    expect([...facts!['helper-label']!.dataSync()]).toEqual([...expected.dataSync()]);
    model.dispose();
  });

  it('adds cross-entropy at the helper with that label to the terms of TRADES, weighted 1, beta and gamma', () => {
    const objective = make(hat, { helper, inner, beta: 2.5, gamma: 0.5 });
    expect(objective.terms.map(({ name, weight }) => [name, weight])).toEqual([
      ['classification', 1],
      ['regularizer', 2.5],
      ['helper', 0.5],
    ]);
    const given = {
      logits: { natural: [natural], adversarial: [adversarial], helper: [[0, 0, 1]] },
      labels: [0],
      facts: { 'helper-label': tf.tensor1d([2], 'int32') },
    };
    expect(valueOf(objective, 'classification', given)[0]).toBeCloseTo(-Math.log(p[0]!), 6);
    expect(valueOf(objective, 'regularizer', given)[0]).toBeCloseTo(divergence, 6);
    expect(valueOf(objective, 'helper', given)[0]).toBeCloseTo(-Math.log(softmax([0, 0, 1])[2]!), 6);
  });

  it('frees the standard model', () => {
    const before = tf.memory().numTensors;
    make(hat, { helper, inner }).dispose!();
    expect(tf.memory().numTensors).toBe(before);
  });
});
