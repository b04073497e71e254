import * as tf from '../../tensor/index.js';
import { integers, type Check } from './check.js';

type Op = (...inputs: never[]) => tf.Tensor;

/** The value of an op and its gradients with respect to all inputs, which are small integers divided by `scale`. */
function differentiated(op: Op, shapes: readonly (readonly number[])[], scale = 1): () => tf.Tensor[] {
  return () => {
    const inputs = shapes.map((shape, at) => tf.div(integers(shape, at + 1), scale));
    const apply = op as unknown as (...given: tf.Tensor[]) => tf.Tensor;
    const y = apply(...inputs);
    return [y, ...tf.grads(apply)(inputs, integers(y.shape, 9))];
  };
}

const plain =
  (op: Op, shapes: readonly (readonly number[])[], scale = 1): (() => tf.Tensor[]) =>
  () => [
    (op as unknown as (...given: tf.Tensor[]) => tf.Tensor)(
      ...shapes.map((shape, at) => tf.div(integers(shape, at + 1), scale)),
    ),
  ];

const images = [2, 6, 5, 4] as const;
const rows = [5, 7] as const;
/** Of several images, or of images that are not square, plain JavaScript's gradient of resizing is wrong: nothing to compare with. */
const single = [1, 4, 4, 3] as const;
const exact = (compute: () => tf.Tensor[]): Check => ({ within: 0, compute });
const rounded = (compute: () => tf.Tensor[]): Check => ({ within: 1e-4, compute });

/** Ops of one input, with their gradients. What rounds is computed on values in [-1, 1]. */
const unary: Readonly<Record<string, Op>> = {
  sigmoid: (x: tf.Tensor) => tf.sigmoid(x),
  tanh: (x: tf.Tensor) => tf.tanh(x),
  elu: (x: tf.Tensor) => tf.elu(x),
  selu: (x: tf.Tensor) => tf.selu(x),
  softplus: (x: tf.Tensor) => tf.softplus(x),
  exponential: (x: tf.Tensor) => tf.exp(x),
  'square root': (x: tf.Tensor) => tf.sqrt(tf.add(tf.square(x), 1)),
  'reciprocal square root': (x: tf.Tensor) => tf.rsqrt(tf.add(tf.square(x), 1)),
  logarithm: (x: tf.Tensor) => tf.log(tf.add(tf.square(x), 1)),
  softmax: (x: tf.Tensor) => tf.softmax(x),
  'mean of squares': (x: tf.Tensor) => tf.mean(tf.square(x), 1),
  power: (x: tf.Tensor) => tf.pow(tf.add(tf.square(x), 1), 1.5),
};

/** Ops whose results are whole numbers: equal to the bit on every engine. */
const whole: Readonly<Record<string, () => tf.Tensor[]>> = {
  'addition with broadcasting': differentiated((a: tf.Tensor, b: tf.Tensor) => tf.add(a, b), [images, [4]]),
  'subtraction with broadcasting': differentiated((a: tf.Tensor, b: tf.Tensor) => tf.sub(a, b), [rows, [5, 1]]),
  'product with broadcasting': differentiated((a: tf.Tensor, b: tf.Tensor) => tf.mul(a, b), [images, [4]]),
  'sum over axes': differentiated((x: tf.Tensor) => tf.sum(x, [1, 2]), [images]),
  'largest along an axis': plain((x: tf.Tensor) => tf.max(x, 1), [rows]),
  'smallest along an axis': plain((x: tf.Tensor) => tf.min(x, 0), [rows]),
  'place of the largest': plain((x: tf.Tensor) => tf.cast(tf.argMax(x, 1), 'float32'), [rows]),
  'elementwise maximum': plain((a: tf.Tensor, b: tf.Tensor) => tf.maximum(a, b), [rows, rows]),
  'elementwise minimum': plain((a: tf.Tensor, b: tf.Tensor) => tf.minimum(a, b), [rows, rows]),
  clipping: plain((x: tf.Tensor) => tf.clipByValue(x, -1, 2), [rows]),
  'absolute values': plain((x: tf.Tensor) => tf.abs(x), [rows]),
  negation: differentiated((x: tf.Tensor) => tf.neg(x), [rows]),
  floor: plain((x: tf.Tensor) => tf.floor(tf.div(x, 2)), [rows]),
  'stock ReLU': plain((x: tf.Tensor) => tf.relu(x), [images]),
  ReLU6: plain((x: tf.Tensor) => tf.relu6(tf.mul(x, 4)), [rows]),
  'leaky ReLU': plain((x: tf.Tensor) => tf.leakyRelu(x, 0.5), [rows]),
  'parametric ReLU': plain((x: tf.Tensor, alpha: tf.Tensor) => tf.prelu(x, alpha), [images, [4]]),
  concatenation: differentiated((a: tf.Tensor, b: tf.Tensor) => tf.concat([a, b], 3), [images, [2, 6, 5, 3]]),
  slicing: differentiated((x: tf.Tensor) => tf.slice(x, [0, 1, 2, 0], [2, 3, 2, 4]), [images]),
  'zero padding': differentiated((x: tf.Tensor) => tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]), [images]), // prettier-ignore
  'mirrored padding': plain((x: tf.Tensor4D) => tf.mirrorPad(x, [[0, 0], [1, 1], [2, 1], [0, 0]], 'reflect'), [images]), // prettier-ignore
  transposition: differentiated((x: tf.Tensor) => tf.transpose(x, [0, 3, 1, 2]), [images]),
  'reversal of an axis': differentiated((x: tf.Tensor) => tf.reverse(x, 2), [images]),
  'repetition of a tensor': differentiated((x: tf.Tensor) => tf.tile(x, [1, 2]), [rows]),
  'choice of rows': differentiated((x: tf.Tensor) => tf.gather(x, tf.tensor1d([3, 0, 3], 'int32')), [rows]),
  'one-hot rows': () => [tf.cast(tf.oneHot(tf.tensor1d([2, 0, 4], 'int32'), 5), 'float32')],
  'choice by a condition': plain((a: tf.Tensor, b: tf.Tensor) => tf.where(tf.greater(a, b), a, b), [rows, rows]),
  comparisons: plain(
    (a: tf.Tensor, b: tf.Tensor) =>
      tf.addN([tf.equal(a, b), tf.less(a, b), tf.greaterEqual(a, b)].map((truth) => tf.cast(truth, 'float32'))),
    [rows, rows],
  ),
  'transposed matrix products': () => [
    tf.matMul(integers([7, 5], 1) as tf.Tensor2D, integers([7, 3], 2) as tf.Tensor2D, true, false),
    tf.matMul(integers([5, 7], 3) as tf.Tensor2D, integers([3, 7], 4) as tf.Tensor2D, false, true),
  ],
  'batched matrix products': differentiated(
    (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b),
    [
      [3, 4, 5],
      [3, 5, 2],
    ],
  ),
  'maximum pooling': differentiated(
    (x: tf.Tensor4D) => tf.maxPool(tf.add(x, distinct()) as tf.Tensor4D, 2, 2, 'valid'),
    [images],
  ),
  'stock convolution': differentiated(
    (x: tf.Tensor4D, filter: tf.Tensor4D) => tf.conv2d(x, filter, [2, 1], 'same'),
    [images, [3, 3, 4, 2]],
  ),
  'nearest-neighbour resizing': differentiated((x: tf.Tensor4D) => tf.image.resizeNearestNeighbor(x, [8, 8]), [single]),
};

/** Ramps that make all values of `images` differ, so that every window has one maximum. */
const distinct = (): tf.Tensor => tf.reshape(tf.mul(tf.range(0, 2 * 6 * 5 * 4), 16), [...images]);

const roundedOps: Readonly<Record<string, () => tf.Tensor[]>> = {
  division: differentiated((a: tf.Tensor, b: tf.Tensor) => tf.div(a, tf.add(tf.square(b), 1)), [rows, rows]),
  'average pooling': differentiated((x: tf.Tensor4D) => tf.avgPool(x, 3, 2, 'same'), [images]),
  'mean over pixels': differentiated((x: tf.Tensor) => tf.mean(x, [1, 2]), [images]),
  'stock BatchNorm': differentiated(
    (x: tf.Tensor4D, mean: tf.Tensor1D, beta: tf.Tensor1D, gamma: tf.Tensor1D) =>
      tf.batchNorm(x, mean, tf.ones([4]), beta, gamma, 1e-3),
    [images, [4], [4], [4]],
  ),
  'bilinear resizing': differentiated((x: tf.Tensor4D) => tf.image.resizeBilinear(x, [7, 7]), [single]),
  ...Object.fromEntries(Object.entries(unary).map(([name, op]) => [name, differentiated(op, [rows], 3)])),
};

/**
 * TensorFlow.js's own ops that networks, losses, attacks and Layers models call. An engine need not have them all: which kernel is missing
 * shows when it is called. What it has must be right.
 */
export const stockOps: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(Object.entries(whole).map(([name, compute]) => [name, exact(compute)])),
  'depthwise convolution': {
    within: 0,
    needs: ['DepthwiseConv2dNativeBackpropInput', 'DepthwiseConv2dNativeBackpropFilter'],
    compute: differentiated(
      (x: tf.Tensor4D, filter: tf.Tensor4D) => tf.depthwiseConv2d(x, filter, 1, 'same'),
      [images, [3, 3, 4, 1]],
    ),
  },
  // WebGPU lets a device compute it to 2^-11 (WGSL, accuracy of sin); Chromium's software adapter needs most of that
  sine: { within: 1e-3, compute: differentiated((x: tf.Tensor) => tf.sin(x), [rows], 3) },
  ...Object.fromEntries(Object.entries(roundedOps).map(([name, compute]) => [name, rounded(compute)])),
};
