import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { batchNormTrain, conv2d, relu, signOf, signStep } from '../ops/index.js';
import { useEngine } from '../select.js';
import { loadWebgpu } from './load.js';

const load = await loadWebgpu();
if (!load.available) console.warn(`no GPU adapter, so webgpu is not tested: ${load.refusals[0]!.reason}`);
const whenFound = load.available ? it : it.skip;

const wave = (shape: number[], step: number): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(step * (i + 1))),
    shape,
  );

async function on(engine: 'webgpu' | 'cpu', compute: () => tf.Tensor[]): Promise<number[][]> {
  await useEngine(engine);
  tf.engine().startScope();
  try {
    return compute().map((tensor) => Array.from(tensor.dataSync()));
  } finally {
    tf.engine().endScope();
  }
}

async function expectSame(compute: () => tf.Tensor[], within: number): Promise<void> {
  const expected = await on('cpu', compute);
  const found = await on('webgpu', compute);
  expected.forEach((values, which) =>
    values.forEach((value, at) => expect(Math.abs(found[which]![at]! - value)).toBeLessThanOrEqual(within)),
  );
}

describe('webgpu', () => {
  whenFound('reads tensors synchronously, and asynchronously the same', async () => {
    await useEngine('webgpu');
    const doubled = tf.mul(tf.tensor1d([1, 2, 3]), 2);
    const next = tf.add(doubled, 1);
    expect([...doubled.dataSync()]).toEqual([2, 4, 6]);
    expect([...(await next.data())]).toEqual([3, 5, 7]);
    expect(tf.mul(next, 0).dtype).toBe('float32');
    expect([...tf.cast(tf.greater(next, 4), 'int32').dataSync()]).toEqual([0, 1, 1]);
    tf.dispose([doubled, next]);
  });

  whenFound('has convolution and its gradients as the cpu has them', async () => {
    for (const stride of [1, 2])
      await expectSame(() => {
        const inputs = [wave([2, 9, 7, 5], 0.7), wave([3, 3, 5, 6], 0.3)];
        const through = (x: tf.Tensor, filter: tf.Tensor): tf.Tensor =>
          conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, { stride, padding: 1 });
        return [through(inputs[0]!, inputs[1]!), ...tf.grads((x, filter) => tf.square(through(x!, filter!)))(inputs)];
      }, 2e-4);
  });

  whenFound('has BatchNorm, ReLU and pooling with their gradients as the cpu has them', async () => {
    await expectSame(() => {
      const inputs = [wave([3, 6, 6, 4], 0.9), wave([4], 0.2), wave([4], 0.5)];
      const through = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor): tf.Tensor => {
        const { y } = batchNormTrain(x as tf.Tensor4D, gamma as tf.Tensor1D, beta as tf.Tensor1D, 1e-5);
        return tf.square(tf.maxPool(relu(y) as tf.Tensor4D, 2, 2, 'valid'));
      };
      return tf.grads((x, gamma, beta) => through(x!, gamma!, beta!))(inputs);
    }, 1e-4);
  });

  whenFound('adds more tensors than a shader takes buffers', async () => {
    await expectSame(() => [tf.addN(Array.from({ length: 40 }, (_, i) => wave([7], 0.1 * (i + 1))))], 1e-5);
  });

  whenFound('has signs and ReLU gradients exactly, at zero as well', async () => {
    const [signs, gradient] = await on('webgpu', () => [
      signOf(tf.tensor1d([0, 2, -2, 1e-30, -1e-30])),
      tf.grad((x) => relu(x))(tf.tensor1d([0, 1, -1]), tf.tensor1d([5, 6, 7])),
    ]);
    expect(signs!.map((value) => value + 0)).toEqual([0, 1, -1, 1, -1]);
    expect(gradient).toEqual([0, 6, 0]);
  });

  whenFound('makes attack steps that stay exactly in the ball and in [0, 1]', async () => {
    const [stepped, origin] = await on('webgpu', () => {
      const start = tf.abs(wave([500], 0.11));
      return [signStep(start, wave([500], 0.37), { origin: start, stepSize: 0.05, epsilon: 0.03 }), start];
    });
    stepped!.forEach((value, i) => {
      expect(Math.abs(value - origin![i]!)).toBeLessThanOrEqual(0.03 + 1e-7);
      expect(value >= 0 && value <= 1).toBe(true);
    });
  });

  whenFound('refuses a tensor that the GPU cannot hold, with a cure', async () => {
    await useEngine('webgpu');
    const column = tf.ones([2 ** 16, 1]);
    expect(() => tf.tidy(() => void tf.tile(column, [1, 2 ** 16]))).toThrow(/larger than the \d+ bytes/);
    expect([...tf.slice(column, 0, 1).dataSync()]).toEqual([1]); // what was there still works
    column.dispose();
  });

  it('says in words why there is no GPU, if there is none', () => {
    if (load.available) expect(load.engine.adapter).toMatch(/\w/);
    else expect(load.refusals[0]!.reason).toMatch(/Vulkan|driver|GPU|package/);
  });
});
