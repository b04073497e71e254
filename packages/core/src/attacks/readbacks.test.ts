import { afterAll, beforeAll, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { createNetwork, type Network } from '../classifier/index.js';
import { registerSession, useEngine } from '../engine/index.js';
import { networkGraph } from '../network/index.js';
import { createRandom } from '../random.js';
import { norms, type NormName } from '../threat/index.js';
import type { Attack } from '../hooks/index.js';
import { attackPlugins } from './index.js';

/** The cpu engine as one whose tensors live elsewhere: every look at them would make a GPU wait. */
let model: Network;
let images: tf.Tensor4D;
let labels: tf.Tensor1D;
beforeAll(async () => {
  await useEngine('cpu');
  registerSession({
    ...{ backend: 'cpu', description: 'far away', device: 'far away', dtypes: ['float32'], remarks: [] },
    hostMemory: false,
  });
  const graph = networkGraph([6, 6, 2], (g) => g.linear('fc', g.flatten(g.input), { units: 4 }));
  model = createNetwork(graph, { name: 'linear', random: createRandom(7) });
  images = createRandom(1).uniform<tf.Rank.R4>([5, 6, 6, 2], 0.3, 0.7);
  labels = tf.tidy(
    () => tf.argMax(model.pass([images], { mode: 'eval', wrt: 'nothing' }).logits[0]!, 1) as tf.Tensor1D,
  );
});
afterAll(() => useEngine('cpu'));

/** How many values each look reads. */
async function readsOf(attack: Attack, norm: NormName): Promise<number[]> {
  const reads: number[] = [];
  const engine = tf.engine();
  const { readSync, read } = engine;
  const sizeOf = (values: { length: number }) => (reads.push(values.length), values);
  engine.readSync = (dataId) => sizeOf(readSync.call(engine, dataId)) as ReturnType<typeof readSync>;
  engine.read = async (dataId) => sizeOf(await read.call(engine, dataId)) as Awaited<ReturnType<typeof read>>;
  try {
    // a radius that breaks nobody, so that nobody leaves early
    const threat = { norm: norms[norm], epsilon: 1e-4 };
    (await attack.run(images, labels, { model, threat, random: createRandom(3) })).dispose();
  } finally {
    Object.assign(engine, { readSync, read });
  }
  return reads;
}

const attackOf = (name: string, norm: NormName, options: object): Attack => {
  const plugin = attackPlugins.find((candidate) => candidate.name === name)!;
  const services = { threat: { norm: norms[norm], epsilon: 1e-4 } } as Parameters<typeof plugin.create>[1];
  return plugin.create(plugin.options.parse(options), services) as Attack;
};
const every = ['linf', 'l2', 'l1'] as const;
const iterative = [
  ...every.flatMap((norm) => ['fab', 'fab-t', 'apgd'].map((name) => ({ name, norm, options: { iterations: 5 } }))),
  ...every.map((norm) => ({ name: 'fmn', norm, options: { steps: 5 } })),
  { name: 'ddn', norm: 'l2' as const, options: { steps: 5 } },
];

it.each(iterative)('$name in $norm reads as often in ten iterations as in five', async ({ name, norm, options }) => {
  const twice = Object.fromEntries(Object.entries(options).map(([option, value]) => [option, 2 * value]));
  const [five, ten] = [
    await readsOf(attackOf(name, norm, options), norm),
    await readsOf(attackOf(name, norm, twice), norm),
  ];
  expect(ten).toEqual(five);
  for (const size of five) expect(size).toBeLessThanOrEqual(images.shape[0]);
});

it.each(every)('square in %s reads one number per image and query, to let go who is broken', async (norm) => {
  const [five, ten] = [
    await readsOf(attackOf('square', norm, { queries: 5 }), norm),
    await readsOf(attackOf('square', norm, { queries: 10 }), norm),
  ];
  expect(ten.length - five.length).toBe(5);
  for (const size of ten) expect(size).toBeLessThanOrEqual(images.shape[0]);
});
