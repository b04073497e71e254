import type { RunConfigInput } from '@bulwark/core';

/** The methods of the demo, in the order of its table. */
export const demoMethods = ['natural', 'at', 'trades', 'st'] as const;
export type DemoMethod = (typeof demoMethods)[number];

const epochs = 6;
const inner = { steps: 5, stepSize: 0.03 };

const objectives: Readonly<Record<DemoMethod, { use: string; [option: string]: unknown }>> = {
  natural: { use: 'natural' },
  at: { use: 'at', inner },
  trades: { use: 'trades', beta: 6, inner },
  st: { use: 'st', beta: 6, inner },
};

/** One setting for all four methods, so that the table compares methods and nothing else. */
export const demoConfig = (method: DemoMethod, seed: number): RunConfigInput => ({
  name: `demo-${method}`,
  seed,
  engine: 'wasm',
  data: { use: 'fashion-mnist-mini', batchSize: 128 },
  model: 'small-cnn',
  threat: { norm: 'linf', epsilon: 0.1 },
  objective: objectives[method],
  optimizer: { use: 'sgd', learningRate: 0.1, schedule: { use: 'step', milestones: [4, 6], factor: 0.1 } },
  epochs,
  // the demo evaluates the last epoch on the test images itself
  evaluation: { every: epochs, attacks: [{ use: 'pgd', steps: 10, stepSize: 0.025 }], examples: 250, final: 'none' },
});

/** What the demo's table shows, on the bundled test images. */
export const demoEvaluation = {
  attacks: [{ use: 'fgsm' }, { use: 'pgd', steps: 20, stepSize: 0.01 }],
} as const;
