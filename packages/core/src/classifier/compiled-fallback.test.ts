import { afterAll, beforeAll, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../engine/index.js';
import { registerPassCompiler } from '../engine/passes.js';
import { createRandom } from '../random.js';
import { createNetwork, networkGraph } from './index.js';

beforeAll(() => useEngine('cpu'));
afterAll(() => registerPassCompiler('cpu', undefined));

it('a compiled pass that does not run is given up, and the pass computed op by op', async () => {
  const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
  const make = () => createNetwork(graph, { name: 'linear', random: createRandom(1) });
  const images = createRandom(2).normal([4, 2, 2, 1]) as tf.Tensor4D;
  const model = make();
  const expected = await tf.tidy(() => model.forward(images, 'eval')).data();

  let [runs, closed] = [0, 0];
  registerPassCompiler('cpu', () => ({
    forward() {
      runs++;
      throw new Error('no kernel for this op');
    },
    inputGradient: () => [tf.zeros([4, 2, 2, 1])],
    release: () => undefined,
    dispose: () => void closed++,
  }));
  const again = make();
  const before = tf.memory().numTensors;
  for (let i = 0; i < 3; i++) {
    const logits = again.forward(images, 'eval');
    expect(await logits.data()).toEqual(expected);
    logits.dispose();
  }
  expect([runs, closed]).toEqual([1, 1]);
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose(images);
  model.dispose();
  again.dispose();
});
