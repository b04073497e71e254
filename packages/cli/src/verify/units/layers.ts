import { updateRunningStatistics } from '@bulwark/core/classifier';
import { batchNormEval, batchNormTrain, conv2d } from '@bulwark/core/engine';
import * as tf from '@tensorflow/tfjs-core';
import { numbersOf, toTensor, type Golden } from '../golden.js';
import { refuseUnknown, unitTolerance, type UnitRunner } from './unit.js';

const vector = (value: unknown, name: string) => tf.tensor1d(numbersOf(value, name));

/** Value and gradients of `sum(f(...xs) * upstream)`. */
function withGradients(f: (...xs: tf.Tensor[]) => tf.Tensor, xs: tf.Tensor[], upstream: tf.Tensor): tf.Tensor[] {
  return [f(...xs), ...tf.grads((...at) => tf.sum(tf.mul(f(...at), upstream)))(xs)];
}

/** `unit-conv`: convolution with symmetric padding, and both of its gradients. */
export const convolutionUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['items']);
  (json['items'] as Golden[]).forEach((item, i) => {
    refuseUnknown(comparison, item, ['stride', 'pad', 'x', 'kernel', 'y', 'upstream', 'gradX', 'gradKernel']);
    tf.tidy(() => {
      const of = (name: string) => toTensor<tf.Tensor4D>(item[name], name);
      const attributes = { stride: Number(item['stride']), padding: Number(item['pad']) };
      const apply = (x: tf.Tensor, kernel: tf.Tensor) => conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, attributes);
      const results = withGradients(
        apply as (...xs: tf.Tensor[]) => tf.Tensor,
        [of('x'), of('kernel')],
        of('upstream'),
      );
      ['y', 'gradX', 'gradKernel'].forEach((quantity, j) => {
        const part = `items[${i}].${quantity}`;
        comparison.compare({ quantity, part }, results[j]!.dataSync(), numbersOf(item[quantity], part), unitTolerance);
      });
    });
  });
};

const callFields = [
  ...['mode', 'x', 'upstream', 'y', 'gradX', 'gradGamma', 'gradBeta', 'batchMean', 'batchVarianceBiased'],
  ...['batchVarianceUnbiased', 'movingMeanAfter', 'movingVarianceAfter'],
];

/** `unit-bn`: BatchNorm in its three modes, with gradients and running statistics, call after call. */
export const batchNormUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, [
    ...['epsilon', 'momentumTorch', 'momentumKeras', 'gamma', 'beta', 'movingMean0', 'movingVariance0', 'calls'],
  ]);
  const epsilon = Number(json['epsilon']);
  const gamma = vector(json['gamma'], 'gamma');
  const beta = vector(json['beta'], 'beta');
  const mean = tf.variable(vector(json['movingMean0'], 'movingMean0'), false);
  const variance = tf.variable(vector(json['movingVariance0'], 'movingVariance0'), false);
  const running = new Map([
    ['bn.running_mean', mean],
    ['bn.running_var', variance],
  ]);
  (json['calls'] as Golden[]).forEach((call, i) => {
    refuseUnknown(comparison, call, callFields);
    tf.tidy(() => {
      const [x, upstream] = [toTensor<tf.Tensor4D>(call['x'], 'x'), toTensor(call['upstream'], 'upstream')];
      const inEval = call['mode'] === 'eval';
      const apply = (at: tf.Tensor4D, g: tf.Tensor1D, b: tf.Tensor1D) =>
        inEval
          ? batchNormEval(at, {
              gamma: g,
              beta: b,
              mean: mean as unknown as tf.Tensor1D,
              variance: variance as unknown as tf.Tensor1D,
              epsilon,
            })
          : batchNormTrain(at, g, b, epsilon).y;
      const [y, gradX, gradGamma, gradBeta] = withGradients(
        apply as unknown as (...xs: tf.Tensor[]) => tf.Tensor,
        [x, gamma, beta],
        upstream,
      );
      const batch = batchNormTrain(x, gamma, beta, epsilon);
      const count = x.size / gamma.size;
      if (call['mode'] === 'train')
        updateRunningStatistics(
          running,
          new Map([['bn', { mean: batch.mean, variance: batch.variance, count, bessel: count / (count - 1) }]]),
        );
      const results: Record<string, tf.Tensor> = {
        ...{ y: y!, gradX: gradX!, gradGamma: gradGamma!, gradBeta: gradBeta! },
        batchMean: batch.mean,
        batchVarianceBiased: batch.variance,
        batchVarianceUnbiased: tf.mul(batch.variance, count / (count - 1)),
        movingMeanAfter: mean,
        movingVarianceAfter: variance,
      };
      for (const [quantity, actual] of Object.entries(results)) {
        if (!(quantity in call)) continue;
        const part = `calls[${i}].${quantity}`;
        comparison.compare({ quantity, part }, actual.dataSync(), numbersOf(call[quantity], part), unitTolerance);
      }
    });
  });
  tf.dispose([gamma, beta, mean, variance]);
};
