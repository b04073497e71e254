import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { useEngine, type PluginSpec } from '@bulwark/core';
import { registerSession } from '@bulwark/core/engine';
import * as tf from '@tensorflow/tfjs-core';
import { make, oneStep, smallBatch, smallNetwork } from './testing/step.js';

/** The cpu engine as one whose tensors live elsewhere: every look at them would make a GPU wait. */
beforeAll(async () => {
  await useEngine('cpu');
  registerSession({
    ...{ backend: 'cpu', description: 'far away', device: 'far away', dtypes: ['float32'], remarks: [] },
    hostMemory: false,
  });
});
afterAll(() => useEngine('cpu'));

const inner = { steps: 2 };
const steps: { spec: PluginSpec; weightPerturber?: PluginSpec; labels?: number[] }[] = [
  ...['natural', 'at', 'trades', 'mart', 'st', 'collaborative', 'gairat', 'bat'].map((use) => ({
    spec: { use, ...(use !== 'natural' && { inner }) },
  })),
  ...['fast-at', 'n-fgsm', 'free-at', 'elle', 'elle-a', 'grad-align', 'ikl'].map((use) => ({ spec: { use } })),
  ...['score', 'mail', 'arow'].map((use) => ({ spec: { use, inner } })),
  { spec: { use: 'hat', inner, helper: 'small' } },
  { spec: { use: 'lbgat', inner, companion: 'small' } },
  { spec: { use: 'st', inner, noSwapWhenNoBenign: true } },
  { spec: { use: 'rst', inner }, labels: [0, -1, 2, -1] },
  { spec: { use: 'st-rst', inner }, labels: [0, -1, 2, -1] },
  { spec: { use: 'two-neighbours', of: { use: 'trades', inner } } },
  { spec: { use: 'at', inner }, weightPerturber: { use: 'awp' } },
];

it.each(steps)('a step of $spec.use reads nothing back', ({ spec, weightPerturber, labels = [0, 1, 2, 0] }) => {
  const model = smallNetwork();
  const batch = smallBatch(labels);
  const objective = make('objective', spec);
  const perturber = weightPerturber && make('weight-perturber', weightPerturber);
  let reads = 0;
  const engine = tf.engine();
  const { readSync } = engine;
  engine.readSync = (dataId) => (reads++, readSync.call(engine, dataId));
  try {
    oneStep({ model, batch, objective, weightPerturber: perturber }, () => undefined);
  } finally {
    engine.readSync = readSync;
  }
  expect(reads).toBe(0);
  model.dispose();
  tf.dispose([batch.images, batch.labels]);
});
