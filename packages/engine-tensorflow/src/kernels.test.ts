import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { xoshiro128 } from '@bulwark/core';
import { batchNormEval, batchNormTrain, conv2d, logSoftmax, relu, softmaxCrossEntropy } from '@bulwark/core/engine';
import { whyNoBfloat16 } from './bfloat16.js';
import { loadTensorflow } from './load.js';

const load = await loadTensorflow();
const reasons = load.refusals.map(({ candidate, reason }) => `${candidate}: ${reason}`).join('; ');
if (!load.available) console.warn(`tensorflow engine not available, its kernel tests are skipped (${reasons})`);
const whenAvailable = load.available ? it : it.skip;

const words = xoshiro128([7, 11, 13, 17]);
const values = (count: number) => Float32Array.from({ length: count }, () => words.word() / 2 ** 31 - 1);
const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

/** Runs a function of named arrays on one backend and reads all its results. */
async function on(
  backend: string,
  shapes: Record<string, number[]>,
  data: Record<string, Float32Array>,
  compute: (inputs: Record<string, tf.Tensor>) => tf.Tensor[],
) {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, tf.tensor(data[name]!, shape)]),
  );
  const outputs = tf.tidy(() => compute(inputs));
  const results = outputs.map((output) => ({ shape: output.shape, values: Array.from(output.dataSync()) }));
  tf.dispose([Object.values(inputs), outputs]);
  expect(tf.memory().numTensors).toBe(before);
  return results;
}

async function expectAgreement(
  shapes: Record<string, number[]>,
  compute: (inputs: Record<string, tf.Tensor>) => tf.Tensor[],
): Promise<void> {
  const data = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, values(size(shape))]));
  const expected = await on('cpu', shapes, data, compute);
  const found = await on('tensorflow', shapes, data, compute);
  expected.forEach((output, at) => {
    expect(found[at]!.shape).toEqual(output.shape);
    const scale = output.values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const worst = output.values.reduce((most, value, i) => Math.max(most, Math.abs(value - found[at]!.values[i]!)), 0);
    expect(worst / scale).toBeLessThan(2e-5);
  });
}

/** The value of an op and its gradients in all inputs, for a cotangent given as input `dy`. */
const withGradients =
  (compute: (inputs: Record<string, tf.Tensor>) => tf.Tensor, names: string[]) =>
  (inputs: Record<string, tf.Tensor>) => {
    const gradients = tf.grads((...args: tf.Tensor[]) =>
      compute({ ...inputs, ...Object.fromEntries(names.map((name, i) => [name, args[i]!])) }),
    );
    return [
      compute(inputs),
      ...gradients(
        names.map((name) => inputs[name]!),
        inputs.dy!,
      ),
    ];
  };

describe('kernels of the tensorflow engine agree with the cpu engine', () => {
  for (const [kernel, stride, padding, height, width] of [
    [3, 1, 1, 8, 8],
    [3, 2, 1, 8, 7],
    [3, 2, 1, 9, 8],
    [1, 2, 0, 7, 8],
    [5, 1, 2, 6, 9],
    [4, 2, 1, 28, 28],
    [3, 1, 0, 5, 6],
    [7, 3, 3, 11, 10],
  ] as const)
    whenAvailable(
      `convolution ${kernel}x${kernel}, stride ${stride}, padding ${padding}, ${height}x${width}, with both gradients`,
      async () => {
        const out = (length: number) => Math.floor((length + 2 * padding - kernel) / stride) + 1;
        const shapes = {
          x: [2, height, width, 3],
          filter: [kernel, kernel, 3, 5],
          dy: [2, out(height), out(width), 5],
        };
        await expectAgreement(
          shapes,
          withGradients(
            ({ x, filter }) => conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, { stride, padding }),
            ['x', 'filter'],
          ),
        );
      },
    );

  for (const pad of [1, 'same', 'valid'] as const)
    whenAvailable(`stock tf.conv2d gradients with padding ${pad}`, async () => {
      const length = { 1: 6, same: 6, valid: 5 }[pad];
      const shapes = { x: [2, 11, 11, 3], filter: [3, 3, 3, 4], dy: [2, length, length, 4] };
      const stock = ({ x, filter }: Record<string, tf.Tensor>) =>
        tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 2, pad, 'NHWC', [1, 1], pad === 1 ? 'floor' : undefined);
      await expectAgreement(shapes, withGradients(stock, ['x', 'filter']));
    });

  for (const shape of [
    [4, 5, 6, 3],
    [16, 7],
    [1, 4, 4, 2],
  ])
    whenAvailable(
      `batch normalisation in training of [${shape.join(', ')}], with its three gradients and statistics`,
      async () => {
        const channels = shape.at(-1)!;
        const shapes = { x: shape, gamma: [channels], beta: [channels], dy: shape };
        const normalise = ({ x, gamma, beta }: Record<string, tf.Tensor>) =>
          batchNormTrain(x as tf.Tensor4D, gamma as tf.Tensor1D, beta as tf.Tensor1D, 1e-5);
        await expectAgreement(
          shapes,
          withGradients((inputs) => normalise(inputs).y, ['x', 'gamma', 'beta']),
        );
        await expectAgreement(shapes, (inputs) => [normalise(inputs).mean, normalise(inputs).variance]);
      },
    );

  whenAvailable('batch normalisation in evaluation of [4, 5, 6, 3], with its three gradients', async () => {
    const shapes = { x: [4, 5, 6, 3], gamma: [3], beta: [3], mean: [3], deviation: [3], dy: [4, 5, 6, 3] };
    const normalise = ({ x, gamma, beta, mean, deviation }: Record<string, tf.Tensor>) =>
      batchNormEval(x as tf.Tensor4D, {
        gamma: gamma as tf.Tensor1D,
        beta: beta as tf.Tensor1D,
        mean: mean as tf.Tensor1D,
        variance: tf.add(tf.square(deviation!), 0.1) as tf.Tensor1D,
        epsilon: 1e-5,
      });
    await expectAgreement(shapes, withGradients(normalise, ['x', 'gamma', 'beta']));
  });

  whenAvailable('log-softmax and cross-entropy with their gradients', async () => {
    const z = (x: tf.Tensor) => tf.mul(x, 30) as tf.Tensor2D;
    await expectAgreement(
      { x: [7, 5], dy: [7, 5] },
      withGradients(({ x }) => logSoftmax(z(x!)), ['x']),
    );
    await expectAgreement(
      { x: [7, 5], targets: [7, 5], dy: [7] },
      withGradients(({ x, targets }) => softmaxCrossEntropy(z(x!), targets as tf.Tensor2D), ['x', 'targets']),
    );
  });

  whenAvailable('relu and its gradient, zero included', async () => {
    await expectAgreement(
      { x: [3, 50], dy: [3, 50] },
      withGradients(({ x }) => relu(tf.maximum(x!, -0.5)), ['x']),
    );
    await tf.setBackend('tensorflow');
    expect(
      Array.from(
        tf
          .grad((x) => relu(x))(tf.tensor1d([-1, 0, 2]))
          .dataSync(),
      ),
    ).toEqual([0, 0, 1]);
  });
});

describe('loading the tensorflow engine', () => {
  it('gives a reason for every candidate when it is not available', () => {
    if (!load.available) expect(load.refusals.length).toBeGreaterThanOrEqual(3);
    for (const { candidate, reason } of load.refusals) {
      expect(candidate).not.toBe('');
      expect(reason).not.toBe('');
    }
  });

  whenAvailable('shares our TensorFlow.js: its results are our tensors', async () => {
    await tf.setBackend('tensorflow');
    expect(tf.matMul(tf.ones([2, 3]), tf.ones([3, 2]))).toBeInstanceOf(tf.Tensor);
  });

  whenAvailable('computes in bfloat16 where the processor has instructions for it', async () => {
    await tf.setBackend('tensorflow');
    const elsewhere = load.available && load.engine.gpu ? 'not on GPUs' : 'on Linux only';
    const known = process.platform === 'linux' && load.available && !load.engine.gpu;
    expect(whyNoBfloat16(['sse2', 'avx512f'])).toMatch(known ? 'no instructions for bfloat16' : elsewhere);
    if (known) expect(whyNoBfloat16(['sse2', 'avx512_bf16'])).toBeUndefined();
  });
});
