import { describe } from '@jest/globals';
import { pickOf } from '@bulwark/core/engine';
import * as tf from '@tensorflow/tfjs-core';
import { differentiated, expectAgreement, positive, values, whenAvailable as it, whole } from '../../../test/kit.js';

type Masks = [tf.Tensor, tf.Tensor, tf.Tensor];

const signed = () => values(3, 5);
const above = () => positive(3, 5);

const unary: Record<string, [f: (x: tf.Tensor) => tf.Tensor, of: () => tf.Tensor]> = {
  abs: [tf.abs, signed],
  acos: [tf.acos, signed],
  acosh: [tf.acosh, () => tf.add(above(), 1)],
  asin: [tf.asin, signed],
  asinh: [tf.asinh, signed],
  atan: [tf.atan, signed],
  atanh: [tf.atanh, signed],
  ceil: [tf.ceil, signed],
  clipByValue: [(x) => tf.clipByValue(x, -0.3, 0.4), signed],
  cos: [tf.cos, signed],
  cosh: [tf.cosh, signed],
  elu: [tf.elu, signed],
  erf: [tf.erf, signed],
  exp: [tf.exp, signed],
  expm1: [tf.expm1, signed],
  floor: [tf.floor, signed],
  leakyRelu: [(x) => tf.leakyRelu(x, 0.3), signed],
  log: [tf.log, above],
  log1p: [tf.log1p, above],
  logSigmoid: [tf.logSigmoid, signed],
  neg: [tf.neg, signed],
  reciprocal: [tf.reciprocal, above],
  relu: [tf.relu, signed],
  relu6: [(x) => tf.relu6(tf.mul(x, 10)), signed],
  round: [tf.round, signed],
  rsqrt: [tf.rsqrt, above],
  selu: [tf.selu, signed],
  sigmoid: [tf.sigmoid, signed],
  sign: [tf.sign, signed],
  sin: [tf.sin, signed],
  sinh: [tf.sinh, signed],
  softplus: [(x) => tf.softplus(tf.mul(x, 30)), signed],
  sqrt: [tf.sqrt, above],
  square: [tf.square, signed],
  step: [(x) => tf.step(x, 0.2), signed],
  tan: [tf.tan, signed],
  tanh: [tf.tanh, signed],
};

describe('kernels of single elements find what the cpu engine finds, with gradients:', () => {
  for (const [name, [f, of]] of Object.entries(unary)) it(name, () => expectAgreement(differentiated(f, of)));
  it('of NaN, infinities and denormal numbers', () =>
    expectAgreement(() => {
      const x = tf.tensor1d([NaN, Infinity, -Infinity, 0, -0, 1e-42, 3]);
      return [tf.isNaN(x), tf.isInf(x), tf.isFinite(x), tf.relu(x), tf.exp(x), tf.step(x), tf.neg(x)];
    }));
  it('of other types', () =>
    expectAgreement(() => {
      const [numbers, flags] = [tf.sub(whole(9, 12), tf.scalar(4, 'int32')), tf.cast(whole(2, 12), 'bool')];
      return [
        tf.abs(numbers),
        tf.relu(numbers),
        tf.cast(tf.mul(values(9), 5), 'int32'),
        tf.cast(numbers, 'bool'),
        tf.cast(flags, 'float32'),
        tf.logicalNot(flags),
        tf.clipByValue(numbers, -1, 2),
      ];
    }));
});

const shapes: Record<string, [a: () => tf.Tensor, b: () => tf.Tensor]> = {
  'equal shapes': [() => values(3, 4), () => values(3, 4)],
  'a number': [() => values(3, 4), () => tf.scalar(0.3)],
  'a number first': [() => tf.scalar(0.3), () => values(3, 4)],
  'a row': [() => values(3, 4), () => values(4)],
  'a column': [() => values(3, 4), () => values(3, 1)],
  'row and column': [() => values(4), () => values(3, 1)],
  'a constant': [() => values(3, 4), () => tf.fill([4], 0.7)],
  'two constants': [() => tf.ones([3, 4]), () => tf.fill([4], 0.7)],
  nothing: [() => values(0, 4), () => values(4)],
};
const apart = (b: tf.Tensor): tf.Tensor => tf.add(tf.abs(b), 0.2);
const binary: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: (a, b) => tf.div(a, apart(b)),
  pow: (a, b) => tf.pow(apart(a), b),
  mod: (a, b) => tf.mod(a, apart(b)),
  atan2: tf.atan2,
};
/** Those whose gradients TensorFlow.js has for equal shapes only, or not at all. */
const withoutGradients: typeof binary = {
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
  prelu: tf.prelu,
  floorDiv: (a, b) => tf.floorDiv(a, apart(b)),
};

describe('kernels of pairs of elements find what the cpu engine finds:', () => {
  for (const [kind, [a, b]] of Object.entries(shapes)) {
    for (const [name, f] of Object.entries(binary))
      it(`${name}, ${kind}, with gradients`, () => expectAgreement(differentiated(f, a, b)));
    for (const [name, f] of Object.entries(withoutGradients))
      it(`${name}, ${kind}`, () => expectAgreement(() => f(a(), b())));
  }
  for (const name of ['maximum', 'minimum', 'squaredDifference', 'prelu'] as const)
    it(`the gradient of ${name}`, () =>
      expectAgreement(differentiated(withoutGradients[name]!, ...shapes['equal shapes']!)));
  it('comparisons', () =>
    expectAgreement(() =>
      [tf.equal, tf.notEqual, tf.less, tf.lessEqual, tf.greater, tf.greaterEqual].flatMap((f) => [
        f(whole(3, 20), whole(3, 20)),
        f(tf.cast(whole(3, 20), 'float32'), tf.scalar(1)),
      ]),
    ));
  it('logic', () =>
    expectAgreement(() =>
      [tf.logicalAnd, tf.logicalOr, tf.logicalXor].map((f) =>
        f(tf.cast(whole(2, 20), 'bool'), tf.cast(whole(2, 20), 'bool')),
      ),
    ));
  it('whole numbers', () =>
    expectAgreement(() => {
      const [a, b] = [whole(50, 20), tf.add(whole(7, 20), tf.scalar(1, 'int32'))];
      return [tf.add, tf.sub, tf.mul, tf.div, tf.mod, tf.maximum, tf.minimum, tf.floorDiv].map((f) => f(a, b));
    }));
  it('choices', () =>
    expectAgreement(
      differentiated(
        (a, b) => tf.where(tf.tensor2d([[1, 0], [0, 1], [1, 1]], [3, 2], 'bool'), a, b), // prettier-ignore
        () => values(3, 2),
        () => values(3, 2),
      ),
    ));
  it('choices among three', () =>
    expectAgreement(
      differentiated(
        (...of) => pickOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((each) => tf.tensor1d(each)) as Masks, of as Masks), // prettier-ignore
        () => values(3, 2, 2),
        () => values(3, 2, 2),
        () => values(3, 2, 2),
      ),
      0,
    ));
  it('sums of many', () =>
    expectAgreement(
      differentiated(
        (a, b) => tf.addN([a, b, a]),
        () => values(3, 4),
        () => values(3, 4),
      ),
    ));
});
