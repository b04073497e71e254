import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { createNetwork, networkGraph } from './index.js';
import { createRandom } from '../random.js';
import { releasingEarly, useEngine } from '../engine/index.js';

/** Two residual blocks: activations that several nodes read, additions, gradients that are accumulated. */
const network = () => {
  const graph = networkGraph([8, 8, 3], (g) => {
    let x = g.relu(g.batchNorm('bn0', g.conv('conv0', g.input, { filters: 8, kernel: 3 })));
    for (const i of [1, 2]) {
      const h = g.relu(g.batchNorm(`bn${i}`, g.conv(`conv${i}`, x, { filters: 8, kernel: 3 })));
      x = g.relu(g.add(h, x));
    }
    return g.linear('fc', g.globalAveragePool(x), { units: 4 });
  });
  return createNetwork(graph, { name: 'blocks', random: createRandom(1) });
};

describe.each(['cpu', 'wasm'] as const)('releasing early on %s', (engine) => {
  beforeAll(() => useEngine(engine));
  const images = () => createRandom(2).normal([4, 8, 8, 3]) as tf.Tensor4D;

  it.each(['batch', 'eval'] as const)('leaves the gradients as they are, in less memory (%s)', async (mode) => {
    const model = network();
    const x = images();
    const loss = (points: tf.Tensor) => {
      const logits = model.forward(points as tf.Tensor4D, mode);
      return tf.sum(tf.logSumExp(logits, 1)) as tf.Scalar;
    };
    const variables = [...model.parameters.values()];
    const all = (f: (points: tf.Tensor) => tf.Scalar) => () => {
      const { value, grads } = tf.variableGrads(() => f(x), variables);
      return [value, tf.grad(f)(x), ...variables.map(({ name }) => grads[name]!)];
    };
    const before = tf.memory().numTensors;
    let plain: tf.Tensor[] = [];
    let early: tf.Tensor[] = [];
    // the profile is one object that the next one overwrites
    const { peakBytes: usual } = await tf.profile(() => void (plain = tf.tidy(all(loss))));
    const { peakBytes: sparing } = await tf.profile(() => void (early = tf.tidy(all(releasingEarly(loss)))));
    for (const [i, tensor] of plain.entries()) expect(await early[i]!.data()).toEqual(await tensor.data());
    expect(sparing).toBeLessThan(0.75 * usual);
    tf.dispose([plain, early]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(x);
    model.dispose();
  });

  it('keeps a gradient that is the incoming one itself', async () => {
    const pass = tf.customGrad((a) => {
      const x = a as tf.Tensor;
      return { value: x.clone(), gradFunc: (dy: tf.Tensor) => dy };
    });
    const twice = releasingEarly((x: tf.Tensor) => tf.sum(tf.mul(pass(pass(x)), 3)) as tf.Scalar);
    const x = tf.tensor1d([1, 2]);
    const gradient = tf.grad(twice)(x);
    expect([...(await gradient.data())]).toEqual([3, 3]);
    tf.dispose([x, gradient]);
  });
});
