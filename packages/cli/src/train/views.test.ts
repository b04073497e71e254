import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  attackStep,
  crossEntropy,
  defineObjective,
  inputGradient,
  kl,
  startRun,
  useEngine,
  weighted,
  type Batch,
  type CraftContext,
  type Plugin,
} from '@bulwark/core';
import { contractOf } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { temporaryFolder, testRegistry, tinyConfig } from './testing.js';

beforeAll(() => useEngine('wasm'));

/** Adversarial points of two views of each image, whose outputs are tied: consistency as in Tack et al., 2022. */
const consistency = (note: (batch: Batch) => void = () => undefined) =>
  defineObjective({
    name: 'consistency',
    summary: 'Cross-entropy and consistency at adversarial points of two views.',
    create: () => {
      const around = (origin: tf.Tensor4D, { labels }: Batch, { model, threat }: CraftContext) => {
        const { gradient } = inputGradient(model, origin, { loss: (logits) => crossEntropy(logits, labels) });
        return attackStep(origin, gradient, { origin, threat, stepSize: threat.epsilon });
      };
      return {
        points: {
          adversarial(batch, context) {
            note(batch);
            return around(batch.images, batch, context);
          },
          other: (batch, context) => around(batch.view!(1), batch, context),
        },
        beyond: ['other'], // it is near another view, not near the image
        loss: {
          classification: ({ z, y }) => crossEntropy(z.adversarial, y),
          other: ({ z, y }) => crossEntropy(z['other']!, y),
          consistency: weighted(2, ({ z }) => kl(z.adversarial, z['other']!)),
        },
      };
    },
  });

async function trained(data: object, note?: (batch: Batch) => void) {
  const registry = testRegistry().register(consistency(note) as unknown as Plugin);
  const config = tinyConfig({ objective: 'consistency', epochs: 1, data: { use: 'tiny', batchSize: 16, ...data } });
  const run = await startRun(config, { registry, baseFolder: '.', folder: () => join(temporaryFolder(), 'run') });
  const before = tf.memory().numTensors;
  const { history } = await run.train();
  expect(tf.memory().numTensors).toBeLessThanOrEqual(before + 2 * run.parts.model.parameters.size); // velocities
  run.dispose();
  return history;
}

describe('another view of each image', () => {
  const augment = [{ use: 'random-crop', padding: 2 }, 'horizontal-flip'];

  /** Pixels of image, first and second view, by position in the training set. */
  async function views(data: object) {
    const found = new Map<number, number[][]>();
    await trained({ augment, ...data }, (batch) => {
      const all = [batch.images, batch.view!(1), batch.view!(2), batch.view!(1)].map((one) => one.arraySync());
      batch.indices!.forEach((index, i) =>
        found.set(
          index,
          all.map((each) => each[i]!.flat(3)),
        ),
      );
    });
    return found;
  }

  it('is augmented anew, the same as long as a step lasts, and in parts what it is in the whole', async () => {
    const whole = await views({});
    expect(whole.size).toBe(48);
    const unlike = (a: number, b: number) =>
      [...whole.values()].filter((each) => each[a]!.join() !== each[b]!.join()).length;
    expect([unlike(0, 1), unlike(0, 2), unlike(1, 2)].every((count) => count > 36)).toBe(true);
    expect(unlike(1, 3)).toBe(0);
    expect(await views({ accumulate: 3 })).toEqual(whole);
  });

  it('is the image where nothing is augmented', async () => {
    for (const [image, view] of (await views({ augment: [] })).values()) expect(view).toEqual(image);
  });

  it('trains an objective that keeps its promises', async () => {
    const [epoch] = await trained({ augment });
    expect(Object.keys(epoch!.terms)).toEqual(['classification', 'other', 'consistency']);
    expect(epoch!.terms['consistency']).toBeGreaterThan(0);
    for (const { run } of contractOf(consistency() as unknown as Plugin<'objective'>)) await run();
  });

  it('is refused where images are mixed', async () => {
    await expect(trained({ augment: ['mixup'] })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      hint: expect.stringContaining('mixup'),
    });
  });
});
