import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { registerWasmKernels } from '../engine/wasm/register.js';
import {
  approached,
  batchNormEval,
  batchNormTrain,
  conv2d,
  conv2dBias,
  momentumStep,
  pickOf,
  relu,
  signOf,
  signStep,
  spatialMean,
  weightedSum,
} from './index.js';

type Shape4D = [number, number, number, number];
type Values = Float32Array;

/** Seeded values in [-1, 1) (mulberry32), so that every engine sees the same. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
function values(seed: number, shape: readonly number[]): Values {
  const next = numbers(seed);
  return Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, next);
}

registerWasmKernels();
/** Runs `compute` on an engine and returns what its tensors hold; checks that no tensor stays behind. */
async function on(backend: 'cpu' | 'wasm', compute: () => tf.Tensor[]): Promise<Values[]> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const outputs = tf.tidy(compute);
  const read = outputs.map((output) => output.dataSync() as Values);
  tf.dispose(outputs);
  expect(tf.memory().numTensors).toBe(before);
  return read;
}
function expectClose(actual: Values[], expected: Values[], tolerance = 1e-4): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((array, index) => {
    const reference = expected[index]!;
    expect(array.length).toBe(reference.length);
    const scale = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const worst = array.reduce((most, value, at) => Math.max(most, Math.abs(value - reference[at]!)), 0);
    expect(worst / scale).toBeLessThan(tolerance);
  });
}
async function expectSameEverywhere(compute: () => tf.Tensor[]): Promise<void> {
  expectClose(await on('wasm', compute), await on('cpu', compute));
}

interface ConvCase {
  x: Shape4D;
  kernel: number;
  out: number;
  stride: number;
  padding: number;
}
/** The models' own geometries (small), then seeded random ones. */
const convCases: ConvCase[] = [
  { x: [2, 8, 8, 3], kernel: 3, out: 64, stride: 1, padding: 1 },
  { x: [2, 7, 7, 16], kernel: 3, out: 16, stride: 1, padding: 1 },
  { x: [2, 8, 8, 16], kernel: 3, out: 32, stride: 2, padding: 1 },
  { x: [2, 8, 8, 16], kernel: 1, out: 32, stride: 2, padding: 0 },
  { x: [1, 4, 4, 64], kernel: 3, out: 64, stride: 1, padding: 1 },
  { x: [3, 14, 14, 1], kernel: 3, out: 16, stride: 1, padding: 1 },
  { x: [3, 14, 14, 16], kernel: 3, out: 32, stride: 2, padding: 1 },
  // few input channels: patches of whole vectors and not, rows of whole blocks and not
  { x: [2, 9, 8, 1], kernel: 3, out: 20, stride: 1, padding: 1 },
  { x: [3, 7, 10, 2], kernel: 5, out: 7, stride: 2, padding: 2 },
  { x: [2, 9, 5, 3], kernel: 3, out: 11, stride: 2, padding: 0 },
  { x: [2, 8, 8, 4], kernel: 1, out: 6, stride: 2, padding: 0 },
  // more images than are padded at once
  { x: [600, 5, 5, 5], kernel: 3, out: 4, stride: 1, padding: 1 },
  ...Array.from({ length: 24 }, (_, index): ConvCase => {
    const next = numbers(1000 + index);
    const upTo = (limit: number): number => Math.floor(((next() + 1) / 2) * limit);
    const kernel = [1, 3, 5][upTo(3)]!;
    return {
      x: [1 + upTo(3), kernel + upTo(8), kernel + upTo(8), 1 + upTo(21)],
      kernel,
      out: 1 + upTo(21),
      stride: 1 + upTo(2),
      padding: upTo(3),
    };
  }),
];

describe('conv2d', () => {
  it.each(convCases)(
    'and both its gradients agree on wasm and cpu: $x, kernel $kernel, $out channels, stride $stride, padding $padding',
    async (geometry) => {
      const { x: shape, kernel, out, stride, padding } = geometry;
      const filterShape: Shape4D = [kernel, kernel, shape[3], out];
      await expectSameEverywhere(() => {
        const x = tf.tensor(values(1, shape), shape) as tf.Tensor4D;
        const filter = tf.tensor(values(2, filterShape), filterShape) as tf.Tensor4D;
        const y = conv2d(x, filter, { stride, padding });
        const dy = tf.tensor(values(3, y.shape), y.shape);
        return [
          y,
          ...tf.grads((...[a, b]) => conv2d(a as tf.Tensor4D, b as tf.Tensor4D, { stride, padding }))([x, filter], dy),
        ];
      });
    },
  );
  it('serves the gradient of TensorFlow.js own conv2d under the standard kernel names, also with "same" padding', async () => {
    for (const [size, stride] of [
      [8, 1],
      [7, 2],
      [8, 2],
    ] as const) {
      await expectSameEverywhere(() => {
        const x = tf.tensor(values(1, [2, size, size, 5]), [2, size, size, 5]) as tf.Tensor4D;
        const filter = tf.tensor(values(2, [3, 3, 5, 6]), [3, 3, 5, 6]) as tf.Tensor4D;
        return tf.grads((...[a, b]) =>
          tf.sum(tf.square(tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, stride, 'same'))),
        )([x, filter]);
      });
    }
  });
  it('computes no filter gradient when only the input gradient is asked for', async () => {
    await tf.setBackend('wasm');
    const x = tf.tensor(values(1, [1, 6, 6, 4]), [1, 6, 6, 4]) as tf.Tensor4D;
    const filter = tf.tensor(values(2, [3, 3, 4, 4]), [3, 3, 4, 4]) as tf.Tensor4D;
    const profile = await tf.profile(() =>
      tf.grad((a) => conv2d(a as tf.Tensor4D, filter, { stride: 1, padding: 1 }))(x),
    );
    const kernels = profile.kernels.map((kernel) => kernel.name);
    expect(kernels).toContain('BulwarkConv2DInputGrad');
    expect(kernels).not.toContain('BulwarkConv2DFilterGrad');
    tf.dispose([x, filter, profile.result as tf.Tensor]);
  });
});

describe('conv2dBias', () => {
  const run = (rectified: boolean, inputs: tf.Tensor[]): tf.Tensor =>
    conv2dBias(
      inputs[0] as tf.Tensor4D,
      { filter: inputs[1] as tf.Tensor4D, bias: inputs[2] as tf.Tensor1D },
      { stride: 2, padding: 1, relu: rectified },
    );
  it.each([
    { rectified: false, out: 13 },
    { rectified: true, out: 13 },
    { rectified: true, out: 16 },
  ])(
    'agrees with its gradients on wasm and cpu, and with the ops that it replaces: relu $rectified, $out channels',
    async ({ rectified, out }) => {
      const compute = (f: (...inputs: tf.Tensor[]) => tf.Tensor) => () => {
        const inputs = [
          tf.tensor(values(20, [3, 7, 6, 5]), [3, 7, 6, 5]),
          tf.tensor(values(21, [3, 3, 5, out]), [3, 3, 5, out]),
          tf.tensor1d(values(22, [out])),
        ];
        const y = f(...inputs);
        return [y, ...tf.grads(f)(inputs, tf.tensor(values(23, y.shape), y.shape))];
      };
      const fused = compute((...inputs) => run(rectified, inputs));
      await expectSameEverywhere(fused);
      const apart = compute((...[x, filter, bias]) => {
        const sum = tf.add(conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, { stride: 2, padding: 1 }), bias!);
        return rectified ? relu(sum) : sum;
      });
      expectClose(await on('wasm', fused), await on('wasm', apart), 1e-5);
    },
  );
  it('lets NaN through, as relu does', async () => {
    const [y] = await on('wasm', () => [run(true, [tf.fill([1, 2, 2, 1], NaN), tf.ones([1, 1, 1, 3]), tf.ones([3])])]);
    expect([...y!].filter(Number.isNaN).length).toBeGreaterThan(0);
  });
});

const normShapes: number[][] = [
  [4, 5, 5, 3],
  [8, 7],
  [2, 3, 3, 64],
  [1, 4, 4, 17],
  [33, 1],
  [3, 8, 8, 130],
];
const normInputs = (shape: number[]): tf.Tensor[] => {
  const channels = shape[shape.length - 1]!;
  return [
    tf.tensor(values(5, shape), shape),
    tf.tensor1d(values(6, [channels])),
    tf.tensor1d(values(7, [channels])),
    tf.tensor1d(values(8, [channels])),
    tf.add(tf.tensor1d(values(9, [channels])), 1.5),
  ];
};

describe('batchNormTrain', () => {
  it.each(normShapes.map((shape) => ({ shape })))(
    'agrees with its gradients on wasm and cpu: $shape',
    async ({ shape }) => {
      await expectSameEverywhere(() => {
        const [x, gamma, beta] = normInputs(shape) as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
        const { y, mean, variance } = batchNormTrain(x, gamma, beta, 1e-5);
        const dy = tf.tensor(values(10, shape), shape);
        const gradients = tf.grads(
          (...[a, g, b]) => batchNormTrain(a as tf.Tensor4D, g as tf.Tensor1D, b as tf.Tensor1D, 1e-5).y,
        )([x, gamma, beta], dy);
        return [y, mean, variance, ...gradients];
      });
    },
  );
  it('has the gradient of the formula written out, statistics included', async () => {
    const written = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor): tf.Tensor => {
      const centred = tf.sub(x, tf.mean(x, [0, 1, 2]));
      return tf.add(
        tf.mul(tf.div(centred, tf.sqrt(tf.add(tf.mean(tf.square(centred), [0, 1, 2]), 1e-5))), gamma),
        beta,
      );
    };
    for (const backend of ['cpu', 'wasm'] as const) {
      const shape = [3, 4, 5, 6];
      const gradients = (f: (...args: tf.Tensor[]) => tf.Tensor) => () => {
        const dy = tf.tensor(values(10, shape), shape);
        return tf.grads(f)(normInputs(shape).slice(0, 3), dy);
      };
      const ours = await on(
        backend,
        gradients((...[x, g, b]) => batchNormTrain(x as tf.Tensor4D, g as tf.Tensor1D, b as tf.Tensor1D, 1e-5).y),
      );
      expectClose(
        ours,
        await on(
          backend,
          gradients((...[x, g, b]) => written(x!, g!, b!)),
        ),
        1e-5,
      );
    }
  });
  it('normalises values far from zero without cancellation', async () => {
    for (const backend of ['cpu', 'wasm'] as const) {
      const [, , variance] = await on(backend, () => {
        const x = tf.add(tf.tensor(values(11, [64, 4, 4, 5]), [64, 4, 4, 5]), 300) as tf.Tensor4D;
        const { y, mean, variance } = batchNormTrain(x, tf.ones([5]), tf.zeros([5]), 1e-5);
        return [y, mean, variance];
      });
      for (const value of variance!) expect(Math.abs(value - 1 / 3)).toBeLessThan(0.03);
    }
  });
});

describe('batchNormEval', () => {
  it.each(normShapes.map((shape) => ({ shape })))(
    'agrees with its gradients on wasm and cpu: $shape',
    async ({ shape }) => {
      await expectSameEverywhere(() => {
        const [x, gamma, beta, mean, variance] = normInputs(shape) as [
          tf.Tensor4D,
          tf.Tensor1D,
          tf.Tensor1D,
          tf.Tensor1D,
          tf.Tensor1D,
        ];
        const normalize = (...[a, g, b]: tf.Tensor[]): tf.Tensor =>
          batchNormEval(a as tf.Tensor4D, {
            gamma: g as tf.Tensor1D,
            beta: b as tf.Tensor1D,
            mean,
            variance,
            epsilon: 1e-5,
          });
        const dy = tf.tensor(values(10, shape), shape);
        return [normalize(x, gamma, beta), ...tf.grads(normalize)([x, gamma, beta], dy)];
      });
    },
  );
});

describe('relu, signOf and signStep', () => {
  const special = [0, -0, 1e-30, -1e-30, 1e-8, -1e-8, 1e-42, -1e-42, Infinity, -Infinity, NaN, 3, -3];
  it('relu agrees with its gradient on wasm and cpu, and is flat at zero', async () => {
    const compute = (): tf.Tensor[] => {
      const x = tf.tensor1d(Float32Array.of(...values(12, [1001]), 0, 0));
      return [relu(x), tf.grad((a) => relu(a))(x, tf.tensor1d(values(13, [1003])))];
    };
    await expectSameEverywhere(compute);
    const [, gradient] = await on('wasm', compute);
    expect([...gradient!.slice(-2)]).toEqual([0, 0]);
  });
  it('signOf is exact, also far below 1.19e-7 and for NaN', async () => {
    for (const backend of ['cpu', 'wasm'] as const) {
      const [signs] = await on(backend, () => [signOf(tf.tensor1d(special))]);
      expect([...signs!].map((value) => value + 0)).toEqual([0, 0, 1, -1, 1, -1, 1, -1, 1, -1, 0, 1, -1]);
    }
  });
  it('signStep is bit for bit the composed clip01(clip(x + a sign(g), origin - e, origin + e))', async () => {
    for (const stepSize of [2 / 255, -2 / 255]) {
      const compute = (): tf.Tensor[] => {
        const origin = tf.abs(tf.tensor1d(values(14, [1037])));
        const x = tf.clipByValue(tf.add(origin, tf.mul(tf.tensor1d(values(15, [1037])), 8 / 255)), 0, 1);
        const g = tf.tensor1d(Float32Array.of(...values(16, [1037 - special.length]), ...special));
        const expected = tf.clipByValue(
          tf.minimum(
            tf.maximum(tf.add(x, tf.mul(signOf(g), stepSize)), tf.sub(origin, 8 / 255)),
            tf.add(origin, 8 / 255),
          ),
          0,
          1,
        );
        return [signStep(x, g, { origin, stepSize, epsilon: 8 / 255 }), expected];
      };
      const [cpu] = await on('cpu', compute);
      const [wasm, composed] = await on('wasm', compute);
      expect(wasm).toEqual(composed);
      expect(wasm).toEqual(cpu);
    }
  });
});

describe('pickOf', () => {
  it('is bit for bit the masked sum, and so are its gradients, once and twice', async () => {
    const shape: Shape4D = [5, 2, 3, 2];
    const masks = [0, 1, 2].map((which) => [0, 1, 2, 1, 0].map((side) => Number(side === which)));
    const computed = (pick: (m: tf.Tensor[], of: tf.Tensor[]) => tf.Tensor) => () => {
      const m = masks.map((mask) => tf.tensor1d(mask));
      const points = [1, 2, 3].map((seed) => tf.tensor4d(values(seed, shape), shape));
      const cubes = (...of: tf.Tensor[]) => tf.pow(pick(m, of), 3);
      const twice = tf.grads((...of) => tf.grad((x) => cubes(x, of[1]!, of[2]!))(of[0]!));
      return [pick(m, points), ...tf.grads(cubes)(points), ...twice(points)];
    };
    const sum = (m: tf.Tensor[], of: tf.Tensor[]) =>
      tf.addN(of.map((each, i) => tf.mul(tf.reshape(m[i]!, [5, 1, 1, 1]), each)));
    for (const engine of ['cpu', 'wasm'] as const)
      expect(
        await on(
          engine,
          computed(([a, b, c], [x, y, z]) => pickOf([a!, b!, c!], [x!, y!, z!])),
        ),
      ).toEqual(await on(engine, computed(sum)));
  });
});

describe('gradients that TensorFlow.js lacks or has wrong on wasm', () => {
  it('gather has one, with repeated indices summed', async () => {
    await expectSameEverywhere(() => {
      const x = tf.tensor(values(17, [6, 4]), [6, 4]);
      const picked = tf.tensor1d([2, 0, 2, 5], 'int32');
      return [tf.grad((a) => tf.gather(a, picked))(x, tf.tensor(values(18, [4, 4]), [4, 4]))];
    });
  });
  it('max pooling passes it on also where no value is positive, to the first of equal ones', async () => {
    const [gradient] = await on('wasm', () => {
      const x = tf.tensor([-3, -1, -2, -1, -1, -4, -1, -1], [1, 2, 2, 2]) as tf.Tensor4D;
      return [tf.grad((a) => tf.maxPool(a as tf.Tensor4D, 2, 2, 'valid'))(x, tf.tensor([5, 7], [1, 1, 1, 2]))];
    });
    expect([...gradient!]).toEqual([0, 7, 0, 0, 5, 0, 0, 0]);
  });
  it('pooling has them, odd sizes and overlapping windows included', async () => {
    await expectSameEverywhere(() => {
      const x = tf.tensor(values(19, [2, 7, 8, 5]), [2, 7, 8, 5]);
      const through = (pool: (a: tf.Tensor4D) => tf.Tensor): tf.Tensor =>
        tf.grad((a) => tf.square(pool(a as tf.Tensor4D)))(x);
      return [
        through((a) => tf.maxPool(a, 2, 2, 'valid')),
        through((a) => tf.maxPool(a, 3, 2, 'same')),
        through((a) => tf.avgPool(a, 2, 2, 'valid')),
        through((a) => tf.mean(a, [1, 2])),
      ];
    });
  });
});

describe('spatialMean', () => {
  it('is the mean over pixels, and so is its gradient, on every engine', async () => {
    const through = (mean: (x: tf.Tensor4D) => tf.Tensor) => (): tf.Tensor[] => {
      const x = tf.tensor(values(23, [3, 5, 7, 6]), [3, 5, 7, 6]) as tf.Tensor4D;
      return [mean(x), tf.grad((a) => tf.square(mean(a as tf.Tensor4D)))(x)];
    };
    const expected = await on(
      'cpu',
      through((x) => tf.mean(x, [1, 2])),
    );
    for (const engine of ['cpu', 'wasm'] as const) expectClose(await on(engine, through(spatialMean)), expected, 1e-6);
  });
});

describe('updates of variables', () => {
  const inputs = () =>
    [1, 2, 3].map((seed) => tf.tensor(values(seed, [5, 3]), [5, 3])) as [tf.Tensor, tf.Tensor, tf.Tensor];
  it.each(['cpu', 'wasm'] as const)('are to the last bit what they are written out, on %s', async (backend) => {
    const found = await on(backend, () => {
      const [a, b, c] = inputs();
      const steps = [true, false].flatMap((nesterov) =>
        momentumStep({ parameter: a, gradient: b, velocity: c }, { rate: 0.1, momentum: 0.9, nesterov }),
      );
      return [
        ...steps,
        weightedSum({ a, b }, { ofA: 1, ofB: -0.1 }),
        weightedSum({ a, b }, { ofA: 0.9, ofB: 0.1 }),
        approached({ variable: a, aim: b }, { share: 0.3 }),
      ];
    });
    const written = await on(backend, () => {
      const [a, b, c] = inputs();
      const velocity = tf.add(tf.mul(c, 0.9), b);
      return [
        tf.sub(a, tf.mul(tf.add(b, tf.mul(velocity, 0.9)), 0.1)),
        velocity,
        tf.sub(a, tf.mul(velocity, 0.1)),
        velocity.clone(),
        tf.sub(a, tf.mul(b, 0.1)),
        tf.add(tf.mul(a, 0.9), tf.mul(b, 0.1)),
        tf.add(a, tf.mul(tf.sub(b, a), 0.3)),
      ];
    });
    expect(found.map((each) => [...each])).toEqual(written.map((each) => [...each]));
  });
});
