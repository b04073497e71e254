import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-layers'; // registers gradients
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { logSoftmax } from '../ops/index.js';
import { crossEntropy, oneHotLabels, trueClassProbability } from './cross-entropy.js';
import { discrepancy, discrepancyNames } from './discrepancy.js';
import { margin, strongestWrongClass } from './margin.js';
import { stopGradient, withoutGradient } from './stop-gradient.js';

const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];
const labels = (...values: number[]) => tf.tensor1d(values, 'int32');

describe.each(['wasm', 'cpu'] as const)('losses on %s', (engine) => {
  beforeAll(() => tf.setBackend(engine));

  it('cross-entropy is log 2 between two equal logits, 0 without a label, and linear in target rows', () => {
    const logits = tf.tensor2d([[3, 3], [3, 3], [1, 2]]); // prettier-ignore
    expect(numbers(crossEntropy(logits, labels(0, -1, 1)))[0]).toBeCloseTo(Math.log(2), 6);
    expect(numbers(crossEntropy(logits, labels(0, -1, 1)))[1]).toBeCloseTo(0, 7);
    const [first, second] = [labels(0, 0, 0), labels(1, 1, 1)].map((y) => numbers(crossEntropy(logits, y))[2]!);
    const mixed = tf.add(
      tf.mul(0.25, oneHotLabels(labels(0, 0, 0), 2)),
      tf.mul(0.75, oneHotLabels(labels(1, 1, 1), 2)),
    );
    expect(numbers(crossEntropy(logits, mixed as tf.Tensor2D))[2]).toBeCloseTo(0.25 * first! + 0.75 * second!, 6);
  });

  it('log-softmax is finite at +-1000 and has rows whose exponentials sum to 1', () => {
    const values = logSoftmax(tf.tensor2d([[1000, -1000, 999], [-50, 50, 0]])); // prettier-ignore
    expect(numbers(values).every(Number.isFinite)).toBe(true);
    for (const sum of numbers(tf.sum(tf.exp(values), 1))) expect(sum).toBeCloseTo(1, 6);
  });

  it('the gradient of cross-entropy is p - y', () => {
    const logits = tf.tensor2d([[0.2, -0.4, 1.1]]);
    const gradient = numbers(tf.grad((z) => tf.sum(crossEntropy(z as tf.Tensor2D, labels(1))))(logits));
    const p = numbers(tf.exp(logSoftmax(logits)));
    gradient.forEach((value, i) => expect(value).toBeCloseTo(p[i]! - (i === 1 ? 1 : 0), 6));
  });

  it('cross-entropy has no gradient without a label, -log p as that of its targets, and a second derivative', () => {
    const logits = tf.tensor2d([[0.2, -0.4, 1.1], [2, 1, 0]]); // prettier-ignore
    const none = tf.grad((z) => tf.sum(crossEntropy(z as tf.Tensor2D, labels(-1, -1))))(logits);
    expect(numbers(none)).toEqual([0, 0, 0, 0, 0, 0]);
    const ofTargets = tf.grad((t) => tf.sum(crossEntropy(logits, t as tf.Tensor2D)))(tf.ones([2, 3]));
    numbers(ofTargets).forEach((value, i) => expect(value).toBeCloseTo(-numbers(logSoftmax(logits))[i]!, 6));
    // one class of two, p = 1/2: the gradient is p - 1 and its derivative p (1 - p)
    const first = tf.grad((z) => tf.sum(crossEntropy(z as tf.Tensor2D, labels(0))));
    const second = tf.grad((z) => tf.slice(first(z), [0, 0], [1, 1]))(tf.tensor2d([[3, 3]]));
    numbers(second).forEach((value, i) => expect(value).toBeCloseTo([0.25, -0.25][i]!, 6));
  });

  it('true-class probability is a half between two equal logits', () => {
    expect(numbers(trueClassProbability(tf.tensor2d([[7, 7]]), labels(1)))[0]).toBeCloseTo(0.5, 6);
  });

  it.each(discrepancyNames)(
    '%s is 0 at equal outputs, whatever is added to the logits, and positive elsewhere',
    (name) => {
      const measure = discrepancy(name);
      const a = tf.tensor2d([[1, 2, 3]]);
      expect(numbers(measure(a, tf.add(a, 5)))[0]).toBeCloseTo(0, 6);
      expect(numbers(measure(a, tf.tensor2d([[3, 2, 1]])))[0]).toBeGreaterThan(0.01);
    },
  );

  it('discrepancies have their closed-form values where the outputs are opposite', () => {
    const [a, b] = [tf.tensor2d([[50, -50]]), tf.tensor2d([[-50, 50]])];
    expect(numbers(discrepancy('kl')(a, b))[0]).toBeCloseTo(100, 4);
    expect(numbers(discrepancy('symmetric-kl')(a, b))[0]).toBeCloseTo(100, 4);
    expect(numbers(discrepancy('js')(a, b))[0]).toBeCloseTo(Math.log(2), 6);
    expect(numbers(discrepancy('js-reversed')(a, b))[0]).toBeCloseTo(50 - Math.log(2), 4);
    expect(numbers(discrepancy('squared-l2')(a, b))[0]).toBeCloseTo(2, 6);
  });

  it('the detached symmetric KL keeps the value and has the gradient (p - q) / 2', () => {
    const [a, b] = [tf.tensor2d([[1, 0]]), tf.tensor2d([[-1, 2]])];
    const detached = discrepancy('symmetric-kl', { detachTarget: true });
    expect(numbers(detached(a, b))[0]).toBeCloseTo(numbers(discrepancy('symmetric-kl')(a, b))[0]!, 6);
    const [p, q] = [a, b].map((z) => numbers(tf.exp(logSoftmax(z))));
    const gradient = numbers(tf.grad((z) => tf.sum(detached(z as tf.Tensor2D, b)))(a));
    gradient.forEach((value, i) => expect(value).toBeCloseTo((p![i]! - q![i]!) / 2, 6));
  });

  it('the margin is positive exactly where the example is misclassified', () => {
    const logits = tf.tensor2d([[5, 1, 3], [1, 5, 3]]); // prettier-ignore
    expect(numbers(margin(logits, labels(0, 0)))).toEqual([-2, 4]);
    expect(numbers(strongestWrongClass(logits, labels(0, 1)))).toEqual([2, 2]);
  });

  it('stopGradient keeps the value and has no gradient', () => {
    const gradient = tf.grad((x) => tf.sum(tf.mul(x, stopGradient(x))))(tf.tensor1d([3, -2]));
    expect(numbers(gradient)).toEqual([3, -2]);
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const x = tf.tensor1d([3, -2]);
      const kept = stopGradient(x);
      x.dispose();
      expect(numbers(kept)).toEqual([3, -2]);
      // no way back at all, which would compute zeros
      expect(tf.engine().gradients(() => tf.sum(stopGradient(kept)) as tf.Scalar, [kept], undefined, true).grads).toEqual([undefined]); // prettier-ignore
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('withoutGradient lets a comparison stand on the tape', () => {
    const keepSmall = (x: tf.Tensor) =>
      tf.mul(
        x,
        withoutGradient((v) => tf.cast(tf.less(v, 1), 'float32'), x),
      );
    expect(numbers(tf.grad((x) => tf.sum(keepSmall(x)))(tf.tensor1d([3, -2])))).toEqual([0, 1]);
  });
});
