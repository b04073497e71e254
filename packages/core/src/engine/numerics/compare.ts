import * as tf from '../../tensor/index.js';
import { batchNormTrain, conv2d, relu } from '../../ops/index.js';
import { startCpu } from '../cpu/start.js';
import { integers, type Check } from './check.js';
import { stockOps } from './stock-ops.js';

/** What no engine can do without. */
const checks: Readonly<Record<string, Check>> = {
  'matrix product': {
    within: 0,
    compute: () => [tf.matMul(integers([33, 65], 1) as tf.Tensor2D, integers([65, 17], 2) as tf.Tensor2D)],
  },
  'convolution and its gradients': {
    within: 0,
    compute: () =>
      [1, 2].flatMap((stride) => {
        const x = integers([2, 7, 6, 8], 3) as tf.Tensor4D;
        const filter = integers([3, 3, 8, 16], 4) as tf.Tensor4D;
        const through = (a: tf.Tensor, b: tf.Tensor): tf.Tensor4D =>
          conv2d(a as tf.Tensor4D, b as tf.Tensor4D, { stride, padding: 1 });
        const y = through(x, filter);
        return [y, ...tf.grads(through)([x, filter], integers(y.shape, 5))];
      }),
  },
  'BatchNorm and its gradients': {
    within: 1e-4,
    compute: () => {
      const x = integers([4, 5, 5, 6], 6);
      const through = (a: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor): tf.Tensor =>
        batchNormTrain(a as tf.Tensor4D, gamma as tf.Tensor1D, beta as tf.Tensor1D, 1e-5).y;
      const inputs = [x, integers([6], 7), integers([6], 8)] as const;
      return [through(...inputs), ...tf.grads(through)([...inputs], integers(x.shape, 9))];
    },
  },
  'ReLU and its gradient': {
    within: 0,
    compute: () => {
      const x = integers([2, 131], 10);
      return [relu(x), tf.grad((a) => relu(a))(x, integers([2, 131], 11))];
    },
  },
  'log-softmax and its gradient': {
    within: 1e-5,
    compute: () => {
      const x = tf.mul(integers([9, 10], 12), 20);
      return [tf.logSoftmax(x), tf.grad((a) => tf.logSoftmax(a))(x, integers([9, 10], 13))];
    },
  },
};

async function valuesOn(backend: string, compute: () => tf.Tensor[]): Promise<number[][]> {
  await (backend === 'cpu' ? startCpu() : tf.setBackend(backend));
  tf.engine().startScope();
  try {
    return compute().map((tensor) => Array.from(tensor.dataSync()));
  } finally {
    tf.engine().endScope();
  }
}

/**
 * What an engine that is registered with TensorFlow.js computes differently from plain JavaScript, or undefined. The engine
 * that was current before is so afterwards.
 */
export async function wrongNumbers(engine: string): Promise<string | undefined> {
  const before = tf.getBackend();
  try {
    for (const [name, { within, needs = [], compute }] of Object.entries({ ...checks, ...stockOps })) {
      if (!needs.every((kernel) => tf.getKernel(kernel, engine))) continue;
      const expected = await valuesOn('cpu', compute);
      const found = await valuesOn(engine, compute).catch((error: Error) => error);
      if (found instanceof Error) {
        if (name in stockOps && lacksKernel(found)) continue;
        return `${name} fails: ${found.message.split('\n')[0]}`;
      }
      const difference = largest(expected, found);
      if (!(difference <= within)) return `${name} is off by ${difference.toPrecision(3)}`;
    }
    return undefined;
  } finally {
    if (before) await tf.setBackend(before);
  }
}

/** TensorFlow.js's word for an op that a backend does not have. */
const lacksKernel = ({ message }: Error): boolean => /^Kernel '\w+' not registered for backend/.test(message);

/** The largest difference; NaN if any value is not there or no number, which Math.max never loses. */
const largest = (expected: readonly number[][], found: readonly number[][]): number =>
  expected
    .flatMap((values, which) => values.map((value, at) => Math.abs(value - (found[which]?.[at] ?? NaN))))
    .reduce((worst, difference) => Math.max(worst, difference), 0);
