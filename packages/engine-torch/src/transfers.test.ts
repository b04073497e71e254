import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerSession } from '@bulwark/core/engine';
import * as tf from '@tensorflow/tfjs-core';
import { optionsOn } from '../test/options.js';
import { smallTraining } from '../test/training.js';
import { torch } from './engine.js';
import { nativeInUse, startTorch } from './session.js';

const { available } = await torch.probe();

// PyTorch's device that has shapes and no values: whatever reads one there fails
(available ? describe : describe.skip)('a step on a device without values', () => {
  beforeAll(async () => {
    registerSession(await startTorch(optionsOn('meta')));
  });
  afterAll(() => tf.setBackend('cpu'));

  // random starts of attacks come from the host, one for each neighbour that is sought
  it.each([
    ['natural', {}, 0],
    ['at', { inner: { steps: 3 } }, 1],
    ['trades', { inner: { steps: 3 } }, 1],
    ['mart', { inner: { steps: 3 } }, 1],
    ['st', { inner: { steps: 3 } }, 2],
  ])('%s copies nothing there but random starts, and reads once', async (use, options, starts) => {
    const native = nativeInUse()!;
    const training = smallTraining(use, options);
    const transfers: number[][] = [];
    for (let step = 0; step < 3; step++) {
      const [, , uploads, downloads] = native.counts();
      await expect(training.step()).rejects.toThrow('Cannot copy out of meta tensor');
      const now = native.counts();
      transfers.push([now[2] - uploads, now[3] - downloads]);
    }
    const expected = [starts, 1];
    expect(transfers.slice(1)).toEqual([expected, expected]); // the first step makes constants that are kept
    training.dispose();
  });
});
