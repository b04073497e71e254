import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import {
  batchNormEval,
  batchNormEvalInputGrad,
  approached,
  batchNormTrain,
  batchNormTrainGrad,
  batchNormTrainInputGrad,
  conv2d,
  conv2dBias,
  coreEngines,
  logSoftmax,
  momentumStep,
  pickOf,
  relu,
  signOf,
  signStep,
  softmaxCrossEntropy,
  spatialMean,
  useEngine,
  weightedSum,
} from '@bulwark/core/engine';
import { webgpu } from './engine.js';
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
  await useEngine(engine, { engines: [webgpu, ...coreEngines] });
  tf.engine().startScope();
  try {
    return compute().map((tensor) => Array.from(tensor.dataSync()));
  } finally {
    tf.engine().endScope();
  }
}

/** Compares with the cpu. `relative` differences count by the largest number there, as float32 sums are as exact as their largest term allows. */
async function expectSame(
  compute: () => tf.Tensor[],
  within: number,
  { relative }: { relative: boolean } = { relative: false },
): Promise<void> {
  const expected = await on('cpu', compute);
  const found = await on('webgpu', compute);
  expect(found.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  expected.forEach((values, which) => {
    const scale = relative ? 1 + values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) : 1;
    const worst = values.reduce((most, value, at) => Math.max(most, Math.abs(found[which]![at]! - value)), 0);
    expect(worst / scale).toBeLessThanOrEqual(within);
  });
}

describe('webgpu', () => {
  whenFound('reads tensors synchronously, and asynchronously the same', async () => {
    await useEngine('webgpu', { engines: [webgpu] });
    const doubled = tf.mul(tf.tensor1d([1, 2, 3]), 2);
    const next = tf.add(doubled, 1);
    expect([...doubled.dataSync()]).toEqual([2, 4, 6]);
    expect([...(await next.data())]).toEqual([3, 5, 7]);
    expect(tf.mul(next, 0).dtype).toBe('float32');
    expect([...tf.cast(tf.greater(next, 4), 'int32').dataSync()]).toEqual([0, 1, 1]);
    tf.dispose([doubled, next]);
  });

  whenFound('casts to floats that ops which only move elements can take', async () => {
    await expectSame(
      () => {
        const x = wave([4, 3, 6, 5], 0.7) as tf.Tensor4D;
        return [tf.greater(x, 0.2), tf.cast(tf.mul(x, 9), 'int32')].flatMap((integers) => {
          const floats = tf.cast(integers, 'float32') as tf.Tensor4D;
          return [
            tf.transpose(floats, [2, 0, 3, 1]),
            tf.sum(floats, [1, 3]),
            tf.max(floats, [0, 2]),
            tf.reverse(floats, 1),
            tf.tile(floats, [1, 2, 1, 3]),
            tf.pad(floats, [
              [0, 1],
              [2, 0],
              [0, 0],
              [1, 1],
            ]),
            tf.mirrorPad(
              floats,
              [
                [0, 0],
                [1, 1],
                [0, 0],
                [2, 1],
              ],
              'reflect',
            ),
            tf.gather(floats, tf.tensor1d([2, 0], 'int32'), 2),
            tf.concat([floats, x], 3),
            tf.stack([floats, x], 1),
            tf.slice(floats, [1, 0, 2, 1], [2, 3, 2, 3]),
            tf.stridedSlice(floats, [0, 0, 0, 0], [4, 3, 6, 5], [2, 1, 3, 2]),
            tf.cumsum(floats, 2),
            tf.where(tf.greater(x, 0), floats, x),
            tf.matMul(tf.reshape(floats, [36, 10]) as tf.Tensor2D, tf.reshape(x, [10, 36]) as tf.Tensor2D),
            tf.image.resizeNearestNeighbor(floats, [7, 9]),
            tf.maxPool(floats, 2, 2, 'valid'),
          ];
        });
      },
      1e-5,
      { relative: true },
    );
  });

  // channels by four and odd ones, since shaders read four numbers at a time where they can
  whenFound.each([
    { size: [2, 9, 7, 5], filter: [3, 3, 5, 6], stride: 1, padding: 1 },
    { size: [2, 9, 7, 5], filter: [3, 3, 5, 8], stride: 2, padding: 1 },
    { size: [2, 8, 6, 4], filter: [3, 3, 4, 8], stride: 2, padding: 1 },
    { size: [3, 6, 6, 8], filter: [1, 1, 8, 4], stride: 2, padding: 0 },
    { size: [1, 11, 10, 3], filter: [5, 5, 3, 4], stride: 3, padding: 2 },
    { size: [2, 5, 6, 4], filter: [3, 2, 4, 7], stride: 1, padding: 0 },
    // more than one tile, and pixels for several groups
    { size: [2, 9, 8, 8], filter: [3, 3, 8, 36], stride: 1, padding: 1 },
    { size: [2, 13, 12, 3], filter: [3, 3, 3, 33], stride: 1, padding: 1 },
    // sums so long that groups share out their terms
    { size: [2, 5, 5, 64], filter: [3, 3, 64, 68], stride: 1, padding: 1 },
    { size: [2, 6, 5, 34], filter: [3, 3, 34, 130], stride: 2, padding: 1 },
  ])('has convolution $filter at $size, stride $stride, padding $padding as the cpu has it', async (sizes) => {
    const { size, filter, ...options } = sizes;
    await expectSame(
      () => {
        const inputs = [wave(size, 0.7), wave(filter, 0.3), wave(filter.slice(3), 0.9)];
        const through = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => conv2d(x as tf.Tensor4D, w as tf.Tensor4D, options);
        const fused =
          (relu: boolean) =>
          (x: tf.Tensor, w: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
            conv2dBias(x as tf.Tensor4D, { filter: w as tf.Tensor4D, bias: bias as tf.Tensor1D }, { ...options, relu });
        return [
          through(inputs[0]!, inputs[1]!),
          ...tf.grads((x, w) => tf.square(through(x!, w!)))(inputs.slice(0, 2)),
          ...[false, true].map((relu) => fused(relu)(inputs[0]!, inputs[1]!, inputs[2]!)),
          ...tf.grads((x, w, bias) => tf.square(fused(true)(x!, w!, bias!)))(inputs),
        ];
      },
      2e-6,
      { relative: true },
    );
  });

  whenFound.each([
    { a: [5, 7], b: [7, 3] },
    { a: [5, 7], b: [7, 8] },
    { a: [2, 5, 7], b: [2, 7, 4] },
    { a: [3, 2, 5, 6], b: [3, 2, 6, 4] },
    { a: [4, 5, 6], b: [1, 6, 8] },
    { a: [1, 5, 6], b: [3, 6, 5] },
    { a: [2, 5, 6], b: [1, 1, 6, 4] },
  ])('multiplies matrices $a and $b, transposed or not, as the cpu does', async ({ a, b }) => {
    const turned = (shape: number[]): number[] => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];
    for (const transposeA of [false, true])
      for (const transposeB of [false, true])
        await expectSame(() => {
          const [left, right] = [wave(transposeA ? turned(a) : a, 0.7), wave(transposeB ? turned(b) : b, 0.3)];
          return [tf.matMul(left, right, transposeA, transposeB)];
        }, 1e-5);
  });

  whenFound('sums and averages over any axes as the cpu does', async () => {
    await expectSame(() => {
      const x = wave([3, 5, 7, 6], 0.4);
      const axes = [undefined, 0, 3, -1, [1, 2], [2, 1], [0, 1, 2], [0, 2], [0, 3], []];
      return axes.flatMap((axis) => [tf.sum(x, axis), tf.mean(x, axis, true)]);
    }, 1e-5);
    // 100,000 terms, whose float32 sum one after the other is wrong in the third digit
    const [sum] = await on('webgpu', () => [tf.sum(tf.fill([100_000], 0.1))]);
    expect(Math.abs(sum![0]! - 10_000)).toBeLessThan(0.05);
    // the cast leaves integers in the buffer
    const [cast] = await on('webgpu', () => [tf.sum(tf.cast(tf.tensor1d([1, 2, 3], 'int32'), 'float32'))]);
    expect(cast).toEqual([6]);
    const [count] = await on('webgpu', () => [tf.sum(tf.tensor1d([1, 2, 3], 'int32'))]);
    expect(count).toEqual([6]);
  });

  whenFound.each([
    { shape: [3, 6, 6, 4] },
    { shape: [2, 5, 7, 3] },
    { shape: [130, 5] },
    // more rows than one sum of sums takes
    { shape: [5, 30, 31, 2] },
  ])('has BatchNorm of $shape with its gradients, training and not, as the cpu has it', async ({ shape }) => {
    const channels = shape.at(-1)!;
    await expectSame(
      () => {
        const inputs = [tf.add(wave(shape, 0.9), 3), wave([channels], 0.2), wave([channels], 0.5)];
        const [mean, variance] = [wave([channels], 0.7), tf.square(wave([channels], 0.4))] as [
          tf.Tensor1D,
          tf.Tensor1D,
        ];
        const norms = [
          (x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D) => batchNormTrain(x, gamma, beta, 1e-5).y,
          (x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D) =>
            batchNormEval(x, { gamma, beta, mean, variance, epsilon: 0.1 }),
        ].map((norm) => norm as unknown as (...given: tf.Tensor[]) => tf.Tensor);
        const statistics = batchNormTrain(
          inputs[0] as tf.Tensor4D,
          inputs[1] as tf.Tensor1D,
          inputs[2] as tf.Tensor1D,
          0,
        );
        const [dy, gamma] = [wave(shape, 0.3), inputs[1]!];
        const given = { dy, x: inputs[0]!, gamma, mean: statistics.mean, variance: statistics.variance };
        return [
          statistics.mean,
          statistics.variance,
          batchNormTrainInputGrad(given, { epsilon: 1e-5 }),
          // with more than it asks for, as layers call it
          batchNormEvalInputGrad({ ...given, ...{ beta: gamma, variance } }, { epsilon: 0.1 }),
          ...norms.flatMap((norm) => [norm(...inputs), ...tf.grads((...given) => tf.square(norm(...given)))(inputs)]),
        ];
      },
      2e-6,
      { relative: true },
    );
  });

  whenFound.each([{ shape: [4, 6, 6, 68] }, { shape: [5, 2, 2, 33] }])(
    'has BatchNorm of $shape, channels of several groups, as the cpu has it',
    async ({ shape }) => {
      await expectSame(
        () => {
          const [x, dy] = [wave(shape, 0.9), wave(shape, 0.3)];
          const [gamma, beta] = [wave([shape.at(-1)!], 0.2), wave([shape.at(-1)!], 0.5)] as [tf.Tensor1D, tf.Tensor1D];
          const { y, mean, variance } = batchNormTrain(x as tf.Tensor4D, gamma, beta, 1e-5);
          const given = { dy, x, gamma, mean, variance };
          const gradients = batchNormTrainGrad(given, { epsilon: 1e-5 });
          return [y, mean, variance, batchNormTrainInputGrad(given, { epsilon: 1e-5 }), ...gradients];
        },
        2e-6,
        { relative: true },
      );
    },
  );

  whenFound('normalises values far from zero without cancellation', async () => {
    await expectSame(() => {
      const [x, gamma, beta] = [tf.add(wave([4, 6, 6, 68], 0.9), 300), tf.ones([68]), tf.zeros([68])];
      return [batchNormTrain(x as tf.Tensor4D, gamma as tf.Tensor1D, beta as tf.Tensor1D, 1e-5).variance];
    }, 1e-5);
  });

  whenFound.each([{ classes: 3 }, { classes: 10 }, { classes: 1000 }])(
    'has log-softmax and cross-entropy of $classes classes with their gradients as the cpu has them',
    async ({ classes }) => {
      await expectSame(
        () => {
          const logits = tf.mul(wave([5, classes], 0.7), 30) as tf.Tensor2D;
          const targets = tf.softmax(wave([5, classes], 0.2)) as tf.Tensor2D;
          const entropy = (z: tf.Tensor, t: tf.Tensor) => softmaxCrossEntropy(z as tf.Tensor2D, t as tf.Tensor2D);
          return [
            logSoftmax(logits),
            tf.grad((z) => tf.square(logSoftmax(z as tf.Tensor2D)))(logits),
            entropy(logits, targets),
            ...tf.grads((z, t) => tf.square(entropy(z!, t!)))([logits, targets]),
          ];
        },
        2e-6,
        { relative: true },
      );
    },
  );

  whenFound.each([{ shape: [3, 5, 4, 8] }, { shape: [2, 7, 3, 5] }])(
    'averages $shape over pixels, and picks one of three for each, as the cpu does, with gradients',
    async ({ shape }) => {
      await expectSame(() => {
        const x = wave(shape, 0.3) as tf.Tensor4D;
        const masks = [0, 1, 2].map((which) =>
          tf.tensor1d(Array.from({ length: shape[0]! }, (_, i) => Number(i % 3 === which))),
        ) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const pick = (...of: tf.Tensor[]) => pickOf(masks, of as [tf.Tensor, tf.Tensor, tf.Tensor]);
        const three = [0.1, 0.2, 0.4].map((step) => wave(shape, step));
        return [
          spatialMean(x),
          tf.grad((of) => tf.square(spatialMean(of as tf.Tensor4D)))(x),
          pick(...three),
          ...tf.grads((...of) => tf.square(pick(...of)))(three),
        ];
      }, 1e-6);
    },
  );

  whenFound.each([{ shape: [7] }, { shape: [3, 3, 4, 8] }])(
    'updates variables of $shape as the cpu does',
    async ({ shape }) => {
      await expectSame(() => {
        const [parameter, gradient, velocity] = [0.1, 0.3, 0.7].map((step) => wave(shape, step)) as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        return [
          ...[true, false].flatMap((nesterov) =>
            momentumStep({ parameter, gradient, velocity }, { rate: 0.3, momentum: 0.9, nesterov }),
          ),
          weightedSum({ a: parameter, b: gradient }, { ofA: 0.9, ofB: 0.1 }),
          weightedSum({ a: parameter, b: gradient }, { ofA: 1, ofB: -0.4 }),
          approached({ variable: parameter, aim: gradient }, { share: 0.2 }),
        ];
      }, 5e-7);
    },
  );

  whenFound('has ReLU and pooling with their gradients as the cpu has them', async () => {
    await expectSame(() => {
      const through = (x: tf.Tensor): tf.Tensor => tf.square(tf.maxPool(relu(x) as tf.Tensor4D, 2, 2, 'valid'));
      return [tf.grad(through)(wave([3, 6, 6, 4], 0.9))];
    }, 1e-5);
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

  whenFound('uses buffers, uniforms and bindings again without mixing them up', async () => {
    const steps = (): tf.Tensor[] => {
      const start = wave([40, 60], 0.3);
      let [x, y] = [start.clone(), start.clone()];
      for (let step = 0; step < 40; step++) {
        const next = tf.tidy(() => {
          const bounded = tf.clipByValue(tf.add(x, tf.mul(y, 0.5)), -1 - step / 50, 1 + (step % 7) / 9);
          const turned = tf.transpose(tf.reshape(bounded, [60, 40]));
          return [turned, tf.sub(bounded, start)] as const;
        });
        tf.dispose([x, y]);
        [x, y] = [next[0], next[1]];
      }
      return [x, y, start];
    };
    await expectSame(steps, 1e-5, { relative: true });
    await useEngine('webgpu', { engines: [webgpu] });
    const bytes = (): number => {
      const found = steps();
      found[0]!.dataSync();
      tf.dispose(found);
      return (tf.memory() as unknown as { numBytesAllocatedInGPU: number }).numBytesAllocatedInGPU;
    };
    const before = bytes();
    expect(bytes()).toBe(before);
  });

  whenFound('refuses a tensor that the GPU cannot hold, with a hint', async () => {
    await useEngine('webgpu', { engines: [webgpu] });
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
