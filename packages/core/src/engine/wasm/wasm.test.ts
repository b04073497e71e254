import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { batchNormTrain, conv2d, relu, signStep } from '../../ops/index.js';
import { bestFlavour, instantiate, memoryOf, useModule } from './module.js';
import type { WasmBackend } from './module.js';
import { registerWasmKernels } from './register.js';

const backend = (): WasmBackend => tf.backend() as unknown as WasmBackend;
const ramp = (shape: number[], scale = 1): tf.Tensor4D => {
  const values = Float32Array.from(
    { length: tf.util.sizeFromShape(shape) },
    (_, index) => scale * Math.sin(index * 1.7),
  );
  return tf.tensor(values, shape as [number, number, number, number]);
};

/** One training step's worth of ops: a convolution, normalisation, both gradients and an attack step. */
function step(x: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor[] {
  const channels = filter.shape[3];
  const loss = (...[a, f]: tf.Tensor[]): tf.Tensor => {
    const y = conv2d(a as tf.Tensor4D, f as tf.Tensor4D, { stride: 2, padding: 1 });
    return tf.sum(tf.square(relu(batchNormTrain(y, tf.ones([channels]), tf.zeros([channels]), 1e-5).y)));
  };
  const [dx, dFilter] = tf.grads(loss)([x, filter]) as [tf.Tensor, tf.Tensor];
  return [signStep(x as tf.Tensor, dx, { origin: x, stepSize: 0.01, epsilon: 0.03 }), dFilter];
}

beforeAll(async () => {
  await tf.setBackend('wasm');
  registerWasmKernels();
});

describe('the wasm kernels', () => {
  it('are the ones that packages/core/assembly compiles to', async () => {
    const root = fileURLToPath(new URL('../../../../../', import.meta.url));
    const { stderr } = await promisify(execFile)(process.execPath, ['scripts/build-kernels.mjs', '--check'], {
      cwd: root,
    });
    expect(stderr).toBe('');
  });
  it('give the same numbers with and without fused multiply-add, up to rounding', () => {
    const compute = (): Float32Array[] => {
      const outputs = tf.tidy(() => step(ramp([3, 11, 10, 6]), ramp([3, 3, 6, 9], 0.2)));
      const read = outputs.map((output) => output.dataSync() as Float32Array);
      tf.dispose(outputs);
      return read;
    };
    useModule(backend(), instantiate(backend(), 'plain'));
    const [, plain] = compute();
    useModule(backend(), instantiate(backend(), bestFlavour()));
    const [, best] = compute();
    plain!.forEach((value, index) =>
      expect(Math.abs(value - best![index]!)).toBeLessThan(1e-3 * Math.max(1, Math.abs(value))),
    );
  });
  it('leave no tensor and no memory behind, over many steps', () => {
    const x = ramp([4, 12, 12, 8]);
    const filter = ramp([3, 3, 8, 16]);
    const run = (): void => tf.dispose(step(x, filter));
    const tidyRun = (): void => void tf.tidy(run);
    for (let warmUp = 0; warmUp < 5; warmUp++) tidyRun();
    const before = { tensors: tf.memory().numTensors, bytes: memoryOf(backend()).buffer.byteLength };
    for (let repeat = 0; repeat < 200; repeat++) tidyRun();
    expect(tf.memory().numTensors).toBe(before.tensors);
    expect(memoryOf(backend()).buffer.byteLength).toBe(before.bytes);
    tf.dispose([x, filter]);
  });
  it('go on working after the memory has grown', () => {
    const filter = ramp([3, 3, 2, 2]);
    const sum = (): number =>
      tf.tidy(() => tf.sum(conv2d(ramp([1, 6, 6, 2]), filter, { stride: 1, padding: 1 })).dataSync()[0]!);
    const before = sum();
    const bytes = memoryOf(backend()).buffer.byteLength;
    const large = tf.zeros([bytes / 4 + 1024]);
    expect(memoryOf(backend()).buffer.byteLength).toBeGreaterThan(bytes);
    expect(sum()).toBe(before);
    tf.dispose([large, filter]);
  });
  it('save tensors for the backward pass without copying them', () => {
    const x = ramp([2, 3]);
    const copy = tf.clone(x);
    const at = (tensor: tf.Tensor): number => backend().dataIdMap.get(tensor.dataId).memoryOffset;
    expect(at(copy)).toBe(at(x));
    x.dispose();
    expect(copy.dataSync()[1]).toBeCloseTo(Math.sin(1.7), 6);
    copy.dispose();
  });
  it('refuse a tensor that is not float32', () => {
    const labels = tf.tensor([1, 2, 3], [3], 'int32');
    expect(() => relu(labels)).toThrow(/shape \[3\] is int32; allowed: float32/);
    labels.dispose();
  });
  it('refuse tensors of different shapes in an attack step', () => {
    const [x, g] = [tf.zeros([2, 2]), tf.zeros([2])] as [tf.Tensor, tf.Tensor];
    expect(() => signStep(x, g, { origin: x, stepSize: 0.1, epsilon: 0.1 })).toThrow(
      /g has shape \[2\]; allowed: \[2, 2\]/,
    );
    tf.dispose([x, g]);
  });
});
