import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import type { ImageSet } from '../batch.js';
import { useEngine } from '../engine/index.js';
import { thresholdModel } from '../evaluation/threshold-testing.js';
import type { Attack } from '../hooks/index.js';
import { norms } from '../threat/index.js';
import { validate } from './validate.js';

const pixel = [1, 1, 1] as const;
/** The class is whether the one pixel is above 0.5. */
const data: ImageSet = {
  images: Uint8Array.from([51, 115, 140, 204]),
  labels: Int32Array.from([0, 0, 1, 1]),
  shape: pixel,
};
const moved = (label: string, by: number): Attack => ({
  label,
  run: (x) => tf.tidy(() => tf.clipByValue(tf.add<tf.Tensor4D>(x, by), 0, 1)),
});
beforeAll(() => useEngine('cpu'));

describe('validation in several norms', () => {
  it('measures each, and who withstands all of them', async () => {
    const [linf, l2] = [norms.linf, norms.l2].map((norm) => ({ norm, epsilon: 0.1 }));
    const found = await validate({
      ...{ model: thresholdModel(), set: data, batchSize: 3, seed: 1 },
      ...{ attacks: [moved('up', 0.09)], threat: linf! },
      further: [{ threat: l2!, attacks: [moved('down', -0.09)] }],
    });
    // one image falls to each, and half of them withstand both
    expect(found).toEqual({ clean: 1, up: 0.75, 'down@l2': 0.75, union: 0.5 });
  });
  it('has no union of one', async () => {
    const threat = { norm: norms.linf, epsilon: 0.1 };
    const one = { model: thresholdModel(), set: data, batchSize: 3, seed: 1, attacks: [moved('up', 0.09)], threat };
    expect(await validate(one)).toEqual({ clean: 1, up: 0.75 });
  });
});
