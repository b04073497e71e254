import * as tfl from '@tensorflow/tfjs-layers';
import type { LayerCase } from '../layer-case.js';
import { mapValues, type Values } from '../values.js';

/** The error function by its series where that is exact, and by a continued fraction farther out. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = size;
  for (let n = 120; n > 0; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction));
}

const [alpha, scale] = [1.6732632423543772, 1.0507009873554805];
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

type Name = NonNullable<Parameters<typeof tfl.layers.activation>[0]['activation']>;

const perValue: Partial<Record<Name, (x: number) => number>> = {
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => scale * (x > 0 ? x : alpha * Math.expm1(x)),
  relu: (x) => Math.max(x, 0),
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  linear: (x) => x,
  sigmoid,
  hardSigmoid: (x) => Math.min(Math.max(0.2 * x + 0.5, 0), 1),
  softplus,
  softsign: (x) => x / (1 + Math.abs(x)),
  tanh: Math.tanh,
  gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  gelu_new: (x) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
  mish: (x) => x * Math.tanh(softplus(x)),
  swish: (x) => x * sigmoid(x),
};

/** log-softmax over the last axis. */
function logSoftmax({ shape, data }: Values): Values {
  const width = shape.at(-1)!;
  const rows = Array.from({ length: data.length / width }, (_, row) => {
    const values = data.subarray(row * width, (row + 1) * width);
    const largest = Math.max(...values);
    return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  });
  return mapValues({ shape, data }, (value, index) => value - rows[Math.floor(index / width)]!);
}
const softmax = (values: Values): Values => mapValues(logSoftmax(values), Math.exp);

const image = [2, 3, 5, 3];
/** Small, usual and large inputs: what overflows shows at the last ones. */
const scales = [0.1, 4, 20];

const byName: LayerCase[] = scales.flatMap((size) => [
  ...Object.entries(perValue).map(([activation, f]): LayerCase => ({
    name: `${activation} of values up to ${size}`,
    inputs: [image],
    scale: size,
    make: () => tfl.layers.activation({ activation: activation as Name }),
    reference: ([x]) => mapValues(x!, f),
  })),
  ...['softmax', 'logSoftmax'].flatMap((activation) =>
    [image, [4, 7], [2, 1], [2, 40]].map((shape): LayerCase => ({
      name: `${activation} of ${shape.join('x')}, values up to ${Math.min(size, 6)}`,
      inputs: [shape],
      scale: Math.min(size, 6),
      make: () => tfl.layers.activation({ activation: activation as Name }),
      reference: ([x]) => (activation === 'softmax' ? softmax(x!) : logSoftmax(x!)),
    })),
  ),
]);

const layers: LayerCase[] = scales.flatMap((size): LayerCase[] => [
  {
    name: `ReLU layer of values up to ${size}`,
    inputs: [image],
    scale: size,
    make: () => tfl.layers.reLU({ maxValue: 3 }),
    reference: ([x]) => mapValues(x!, (value) => Math.min(Math.max(value, 0), 3)),
  },
  {
    name: `leakyReLU of values up to ${size}`,
    inputs: [image],
    scale: size,
    make: () => tfl.layers.leakyReLU({ alpha: 0.2 }),
    reference: ([x]) => mapValues(x!, (value) => (value > 0 ? value : 0.2 * value)),
  },
  {
    name: `ELU layer of values up to ${size}`,
    inputs: [image],
    scale: size,
    make: () => tfl.layers.elu(),
    reference: ([x]) => mapValues(x!, perValue.elu!),
  },
  {
    name: `thresholdedReLU of values up to ${size}`,
    inputs: [image],
    scale: size,
    make: () => tfl.layers.thresholdedReLU({ theta: 0.4 }),
    reference: ([x]) => mapValues(x!, (value) => (value > 0.4 ? value : 0)),
  },
  {
    name: `softmax layer of values up to ${size}`,
    inputs: [[4, 7]],
    scale: size,
    make: () => tfl.layers.softmax(),
    reference: ([x]) => softmax(x!),
  },
]);

const prelus: LayerCase[] = [[], [1, 2], [1], [3], [2, 3]].map((sharedAxes) => ({
  name: `PReLU, shared axes [${sharedAxes.join(', ')}]`,
  inputs: [image],
  make: () => tfl.layers.prelu({ sharedAxes }),
  reference: ([x], [slopes]) => {
    const [rows, columns, channels] = slopes!.shape as [number, number, number];
    return mapValues(x!, (value, index) => {
      const place = [Math.floor(index / 15) % 3, Math.floor(index / 3) % 5, index % 3].map(
        (at, axis) => at % slopes!.shape[axis]!,
      ) as [number, number, number];
      const slope = slopes!.data[(place[0] * columns + place[1]) * channels + place[2]]!;
      return value > 0 || rows === 0 ? value : slope * value;
    });
  },
}));
prelus.push({
  name: 'PReLU of rows',
  inputs: [[4, 7]],
  make: () => tfl.layers.prelu({}),
  reference: ([x], [slopes]) => mapValues(x!, (value, index) => (value > 0 ? value : slopes!.data[index % 7]! * value)),
});

/** All activations, and the layers that are one. */
export const activations: LayerCase[] = [...byName, ...layers, ...prelus];
