import { createRandom, type ImageSet, type PluginServices } from '@bulwark/core';
import { createPipeline } from '@bulwark/core/trainer';
import { horizontalFlip } from './augment/horizontal-flip.js';
import { randomCrop } from './augment/random-crop.js';

/**
 * Images per second of the pipeline alone at CIFAR-10's shape: bytes to numbers, crop with 4 zero pixels, flip; batches of 128; on the one
 * thread that also drives the engine.
 */
export function benchmarkPipeline(options: { seconds?: number; batchSize?: number } = {}): {
  imagesPerSecond: number;
  images: number;
} {
  const { seconds = 2, batchSize = 128 } = options;
  const random = createRandom(1, 'pipeline benchmark');
  const count = 5000;
  const set: ImageSet = {
    images: Uint8Array.from({ length: count * 3072 }, () => random.integer(256)),
    labels: Int32Array.from({ length: count }, () => random.integer(10)),
    shape: [32, 32, 3],
  };
  const services = {} as PluginServices;
  const augmentations = [
    randomCrop.create(randomCrop.options.parse({}), services),
    horizontalFlip.create(horizontalFlip.options.parse({}), services),
  ];
  const pipeline = createPipeline({ set, classes: 10, augmentations, seed: 1 });
  const order = random.permutation(count);
  const batch = (step: number) => {
    const start = (step * batchSize) % (count - batchSize);
    return pipeline.prepare(order.subarray(start, start + batchSize), { epoch: 1, step });
  };
  for (let step = 0; step < 20; step++) batch(step); // let the compiler see it
  const began = performance.now();
  let steps = 0;
  while (performance.now() - began < 1000 * seconds) batch(steps++);
  const elapsed = (performance.now() - began) / 1000;
  return { imagesPerSecond: (steps * batchSize) / elapsed, images: steps * batchSize };
}
