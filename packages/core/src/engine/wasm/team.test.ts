import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { conv2d } from '../ops/index.js';
import { instantiate, kernelsOn, memoryOf, useModule } from './module.js';
import type { WasmBackend } from './module.js';
import { registerWasmKernels } from './register.js';
import { startBackend } from './shared-memory.js';

const ramp = (shape: [number, number, number, number], scale = 1): tf.Tensor4D => {
  const values = Float32Array.from(
    { length: tf.util.sizeFromShape(shape) },
    (_, index) => scale * Math.sin(index * 1.7),
  );
  return tf.tensor(values, shape);
};
const backend = (): WasmBackend => tf.backend() as unknown as WasmBackend;

/** A convolution large enough to be shared among threads, and its two gradients. */
function compute(stride: number): Float32Array[] {
  const outputs = tf.tidy(() => {
    const [x, filter] = [ramp([5, 17, 16, 12]), ramp([3, 3, 12, 40], 0.2)];
    const convolve = (...[a, f]: tf.Tensor[]): tf.Tensor =>
      conv2d(a as tf.Tensor4D, f as tf.Tensor4D, { stride, padding: 1 });
    const y = convolve(x, filter);
    return [y, ...tf.grads(convolve)([x, filter], tf.cos(y))];
  });
  const read = outputs.map((output) => output.dataSync() as Float32Array);
  tf.dispose(outputs);
  return read;
}

/** One digest of everything computed: deep comparison of long arrays is slow. */
const bytes = (): string =>
  [1, 2]
    .flatMap(compute)
    .map((values) => createHash('sha256').update(values).digest('hex'))
    .join();

beforeAll(async () => {
  await startBackend(3);
  registerWasmKernels();
});

describe('the wasm backend on shared memory', () => {
  it('starts under Node, with the memory that its tensors live in', () => {
    expect(Object.prototype.toString.call(memoryOf(backend()).buffer)).toBe('[object SharedArrayBuffer]');
    const x = tf.tensor1d([1, 2, 3]);
    const { memoryOffset } = backend().dataIdMap.get(x.dataId);
    expect([...new Float32Array(memoryOf(backend()).buffer, memoryOffset, 3)]).toEqual([1, 2, 3]);
    x.dispose();
  });
  it('gives bit for bit the same numbers on one and on three threads', async () => {
    useModule(backend(), instantiate(backend(), 'plain', 1));
    const single = bytes();
    useModule(backend(), instantiate(backend(), 'plain', 3));
    expect(kernelsOn(backend()).threads).toBe(3);
    for (let repeat = 0; repeat < 20; repeat++) {
      expect(bytes()).toBe(single);
      // Helpers arrive while this goes on.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  it('goes on when the memory grows while helpers hold it', () => {
    const before = bytes();
    const large = tf.zeros([memoryOf(backend()).buffer.byteLength / 4 + 1024]);
    expect(bytes()).toBe(before);
    large.dispose();
  });
});
