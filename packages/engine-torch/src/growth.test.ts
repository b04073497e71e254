import { expect } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { whenAvailable } from '../test/kit.js';
import { smallTraining } from '../test/training.js';
import { nativeInUse } from './session.js';

whenAvailable('500 steps leave no tensor behind, take no more memory, and update weights where they lie', async () => {
  await tf.setBackend('torch');
  nativeInUse()!.useThreads(1); // two cost more than they bring at this size
  const training = smallTraining('at', { inner: { steps: 1 } });
  const now = () => {
    const [tensors, passes] = nativeInUse()!.counts();
    return { tensors, passes, tensorFlow: tf.memory().numTensors };
  };
  const places = () => [...training.model.parameters.values()].map(({ dataId }) => dataId);
  const grown = async (steps: number) => {
    for (let step = 0; step < steps; step++) await training.step();
    return { ...now(), places: places(), resident: process.memoryUsage().rss };
  };
  const { resident: before, ...early } = await grown(100);
  const { resident: after, ...late } = await grown(400);
  expect(late).toEqual(early);
  late.places.forEach((place, i) => expect(place).toBe(early.places[i]));
  expect((after - before) / 1e6).toBeLessThan(100);
  training.dispose();
});
