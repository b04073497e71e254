import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { logitsOf, createNetwork, type Network } from '../classifier/index.js';
import { networkGraph } from '../network/index.js';
import { useEngine } from '../engine/index.js';
import type { Attack } from '../hooks/index.js';
import { createRandom } from '../random.js';
import { norms, type NormName } from '../threat/index.js';
import { deepFool } from './deepfool/run.js';
import { fabAttack } from './fab/plugin.js';
import { fabRun } from './fab/run.js';
import { misclassified } from './judge.js';
import { attackPlugins } from './index.js';

/**
 * A linear classifier with known weights: the nearest point of another class lies at `|z_y - z_k| / |w_y - w_k|` in the dual norm. The
 * images stay away from 0 and 1, so that the pixel range does not matter.
 */
const classes = 4;
const size = 16;
const count = 12;
let model: Network;
let images: tf.Tensor4D;
let labels: tf.Tensor1D;
let optimum: Record<NormName, number[]>;

beforeAll(async () => {
  await useEngine('wasm');
  const graph = networkGraph([4, 4, 1], (g) => g.linear('fc', g.flatten(g.input), { units: classes }));
  const random = createRandom(7);
  model = createNetwork(graph, { name: 'linear', random });
  images = random.uniform<tf.Rank.R4>([count, 4, 4, 1], 0.4, 0.6);
  const logits = logitsOf(model, images);
  labels = tf.argMax(logits, 1) as tf.Tensor1D;
  const z = logits.arraySync();
  const w = model.parameters.get('fc.weight')!.arraySync() as number[][];
  const dual: Record<NormName, (d: number[]) => number> = {
    linf: (d) => d.reduce((sum, value) => sum + Math.abs(value), 0),
    l2: (d) => Math.hypot(...d),
    l1: (d) => Math.max(...d.map(Math.abs)),
  };
  const nearest = (norm: NormName) =>
    [...labels.dataSync()].map((y, e) =>
      Math.min(
        ...Array.from({ length: classes }, (_, k) =>
          k === y ? Infinity : (z[e]![y]! - z[e]![k]!) / dual[norm](w.map((row) => row[y]! - row[k]!)),
        ),
      ),
    );
  optimum = { linf: nearest('linf'), l2: nearest('l2'), l1: nearest('l1') };
});

const expectNearOptimum = (found: ArrayLike<number>, norm: NormName, within = 1.25) =>
  optimum[norm].forEach((best, e) => {
    expect(found[e]! / best).toBeGreaterThan(0.999);
    expect(found[e]! / best).toBeLessThanOrEqual(within);
  });
const lengthsOf = (points: tf.Tensor4D, norm: NormName) =>
  tf.tidy(() => norms[norm].measure(tf.sub(points, images)).dataSync());

describe('minimum-norm attacks on a linear model', () => {
  it.each(['linf', 'l2', 'l1'] as const)('FAB comes within 1.25 of the optimum in %s', async (norm) => {
    const result = await fabRun({
      images,
      labels,
      context: { model, threat: { norm: norms[norm], epsilon: 1 }, random: createRandom(0) },
      iterations: 20,
      alphaMax: 0.1,
      eta: 1.05,
      beta: 0.9,
      randomStart: false,
    });
    expectNearOptimum(lengthsOf(result.points, norm), norm);
  });
  it.each(['linf', 'l2'] as const)('DeepFool comes within 1.25 of the optimum in %s', async (norm) => {
    const { points } = await deepFool({
      ...{ images, labels, model, norm: norms[norm], variant: 'foolbox' as const },
      ...{ iterations: 50, overshoot: 0.02, candidates: 10 },
    });
    expectNearOptimum(lengthsOf(points, norm), norm);
  });
});

/** Every attack plugin with options that keep a test short. */
const short: Record<string, object> = {
  autoattack: { queries: 200 },
  square: { queries: 200 },
  apgd: { iterations: 20 },
  fab: { iterations: 20 },
  'fab-t': { iterations: 20, targets: 3 },
  'cw-linf': { steps: 20 },
  deepfool: { candidates: 4 },
  fmn: { steps: 100 },
  ddn: { steps: 100, levels: 0, firstRadius: 0.2 },
};
const attackOf = (name: string, norm: NormName): Attack => {
  const plugin = attackPlugins.find((candidate) => candidate.name === name)!;
  const services = { threat: { norm: norms[norm], epsilon: 1 } } as Parameters<typeof plugin.create>[1];
  return plugin.create(plugin.options.parse(short[name] ?? {}), services) as Attack;
};

describe.each(attackPlugins.map(({ name }) => name))('the attack %s', (name) => {
  const { minimumNorm = false, norms: known = ['linf' as const] } = attackOf(name, 'linf');
  const norm = known[0]!;
  const attack = async (epsilonOf: (best: number[]) => number) => {
    const epsilon = epsilonOf(optimum[norm]);
    const context = { model, threat: { norm: norms[norm], epsilon }, random: createRandom(3) };
    const before = tf.memory().numTensors;
    const points = await attackOf(name, norm).run(images, labels, context);
    expect(tf.memory().numTensors).toBe(before + 1);
    const broken = misclassified(model, points, labels).dataSync();
    const lengths = lengthsOf(points, norm);
    const [low, high] = [tf.min(points).dataSync()[0]!, tf.max(points).dataSync()[0]!];
    const inside = lengths.map((length) => Number(minimumNorm && length > epsilon + 1e-6 ? 0 : 1));
    return { epsilon, broken: [...broken].map((flag, e) => Boolean(flag && inside[e])), lengths, low, high };
  };

  it('breaks nothing in a ball that reaches no other class, and leaves no tensor behind', async () => {
    const { broken } = await attack((best) => 0.9 * Math.min(...best));
    expect(broken).not.toContain(true);
  });
  it('stays inside the ball and the pixel range', async () => {
    const { epsilon, lengths, low, high } = await attack((best) => 2 * Math.max(...best));
    if (!minimumNorm) lengths.forEach((length) => expect(length).toBeLessThanOrEqual(epsilon + 1e-6));
    expect(low).toBeGreaterThanOrEqual(0);
    expect(high).toBeLessThanOrEqual(1);
  });
  if (attackOf(name, 'linf').minimumNorm)
    it('comes near the optimum in linf and l2', async () => {
      // in l1, fmn approaches the boundary of a linear model without ever crossing it, like its authors' code
      const own = (['linf', 'l2'] as const).filter((each) => attackOf(name, each).norms?.includes(each) ?? true);
      for (const each of own) {
        const context = { model, threat: { norm: norms[each], epsilon: 0 }, random: createRandom(3) };
        const points = await attackOf(name, each).run(images, labels, context);
        // the direction of ddn is that of cross-entropy, which all wrong classes pull at
        expectNearOptimum(lengthsOf(points, each), each, name === 'ddn' ? 1.5 : 1.25);
        points.dispose();
      }
    });
  it('breaks every example in a ball of twice the largest distance', async () => {
    const { broken } = await attack((best) => 2 * Math.max(...best));
    expect(broken).not.toContain(false);
  });
});

it.each(['linf', 'l2', 'l1'] as const)('FAB leaves a point where two logits are equal, in %s', async (norm) => {
  const graph = networkGraph([4, 4, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 2 }));
  const even = createNetwork(graph, { name: 'even', random: createRandom(0) });
  // both logits of a grey image are exactly 0; the class is the first
  const kernel = Float32Array.from({ length: 2 * size }, (_, i) => ((i + (i >> 1)) % 2 ? 0.5 : -0.5));
  even.parameters.get('fc.weight')!.assign(tf.tensor2d(kernel, [size, 2]));
  even.parameters.get('fc.bias')!.assign(tf.zeros([2]));
  const grey = tf.fill([1, 4, 4, 1], 0.5) as tf.Tensor4D;
  const { distances, points } = await fabRun({
    ...{ images: grey, labels: tf.tensor1d([0], 'int32'), iterations: 5, randomStart: false },
    ...{ alphaMax: 0.1, eta: 1.05, beta: 0.9 },
    context: { model: even, threat: { norm: norms[norm], epsilon: 1 }, random: createRandom(0) },
  });
  expect(distances[0]).toBeGreaterThan(0);
  expect(distances[0]).toBeLessThan(1e-4);
  tf.dispose([grey, points]);
  even.dispose();
});

it('FAB reports the minimal norms that it found', async () => {
  const seen: number[][] = [];
  const attack = fabAttack({ iterations: 20, restarts: 1, alphaMax: 0.1, eta: 1.05, beta: 0.9, targets: 0 });
  await attack.run(images, labels, {
    model,
    threat: { norm: norms.linf, epsilon: 1 },
    random: createRandom(0),
    observe: ({ kind, perExample }) => kind === 'minimum-norm' && seen.push([...perExample!]),
  });
  expectNearOptimum(seen[0]!, 'linf');
  expect(seen[0]).toHaveLength(count);
  expect(size).toBe(images.size / count);
});
