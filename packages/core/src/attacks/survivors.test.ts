import { beforeAll, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { countingClassifier, logitsOf } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { thresholdModel } from '../evaluation/threshold-testing.js';
import { SurvivorPool } from './survivors.js';

beforeAll(() => useEngine('cpu'));

it('the survivors of a batch are known without a pass where the caller has the logits of these images by this model', async () => {
  const { model, counts } = countingClassifier(thresholdModel());
  const images = tf.tensor4d([0.2, 0.6, 0.9], [3, 1, 1, 1]);
  const labels = tf.tensor1d([0, 0, 1], 'int32');
  const logits = logitsOf(model, images);
  const before = tf.memory().numTensors;
  const passes = async (clean: Parameters<typeof SurvivorPool.of>[1]['clean'], of = model) => {
    const already = counts.forward;
    const pool = await SurvivorPool.of({ images, labels }, { model: of, clean });
    expect(pool.survivors).toEqual([0, 2]);
    pool.finish().dispose();
    return counts.forward - already;
  };
  expect(await passes({ model, images, logits })).toBe(0);
  expect(await passes(undefined)).toBe(1);
  expect(await passes({ model, images: tf.clone(images), logits })).toBe(1);
  expect(await passes({ model, images, logits }, { ...model })).toBe(1);
  expect(tf.memory().numTensors).toBe(before + 1); // the copy of the images
  tf.dispose([images, labels, logits]);
  model.dispose();
});
