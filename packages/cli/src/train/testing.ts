import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createRandom,
  defineDataSource,
  integer,
  startRun,
  type ImageSet,
  type Plugin,
  type PluginRegistry,
  type RunHandle,
} from '@bulwark/core';
import { builtinRegistry } from '../registry.js';

const side = 8;
const classNames = ['left', 'right', 'none'];

/** Images that a linear model can learn: noise, with a bright left or right half for two of three classes. */
function images(count: number, seed: number): ImageSet {
  const random = createRandom(seed, 'test-images');
  const labels = Int32Array.from({ length: count }, (_, i) => i % classNames.length);
  const pixels = new Uint8Array(count * side * side);
  for (let i = 0; i < pixels.length; i++) {
    const label = labels[Math.floor(i / (side * side))]!;
    const bright = label === (i % side < side / 2 ? 0 : 1);
    pixels[i] = random.integer(100) + (bright ? 120 : 0);
  }
  return { images: pixels, labels, shape: [side, side, 1] };
}

const withoutSome = (set: ImageSet, every: number): ImageSet => ({
  ...set,
  labels: set.labels.map((label, i) => (every > 0 && i % every === 0 ? -1 : label)),
});

/** A data source for tests that needs no file: 8x8 grey images of three classes. */
export const tinyData: Plugin = defineDataSource({
  name: 'tiny',
  summary: 'Generated images for tests.',
  options: {
    train: integer({ min: 1 }).default(48).describe('training images'),
    seed: integer({ min: 0 }).default(0).describe('of the images'),
    unlabelled: integer({ min: 0 })
      .default(0)
      .describe('every so many-th training image has no label; 0: all have one'),
  },
  create: ({ train, seed, unlabelled }) => ({
    name: 'tiny',
    shape: [side, side, 1],
    classNames,
    train: withoutSome(images(train, seed), unlabelled),
    validation: images(24, seed + 1),
    test: images(24, seed + 2),
  }),
});

export const testRegistry = (): PluginRegistry => builtinRegistry().register(tinyData);

/** A run of a few seconds at most; `over` replaces top-level keys. */
export const tinyConfig = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: 'tiny',
  engine: 'wasm',
  data: { use: 'tiny', batchSize: 16 },
  model: { use: 'small-cnn', width: 2 },
  threat: { epsilon: 0.1 },
  objective: { use: 'at', inner: { steps: 2, stepSize: 0.05 } },
  optimizer: { use: 'sgd', learningRate: 0.05 },
  epochs: 2,
  evaluation: { attacks: ['fgsm'] },
  ...over,
});

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'bulwark-test-'));

/** Starts a run of `tinyConfig(over)` in a folder of its own. */
export const startTiny = (
  over: Record<string, unknown> = {},
  folder = join(temporaryFolder(), 'run'),
): Promise<RunHandle> =>
  startRun(tinyConfig(over), { registry: testRegistry(), baseFolder: tmpdir(), folder: () => folder });
