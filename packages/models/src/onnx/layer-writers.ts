import { reshape, transpose } from '@tensorflow/tfjs-core';
import type { OnnxAttribute, OnnxValue } from '@bulwark/core';
import { activation } from './activations.js';
import { notInOnnx, type LayerUse } from './layer-use.js';

type Config = Record<string, unknown>;
type Writer = (use: LayerUse) => OnnxValue;

const pair = (value: unknown): [number, number] =>
  Array.isArray(value) ? (value as [number, number]) : [value as number, value as number];

/** Refuses settings that would be another function. */
function need(use: LayerUse, holds: boolean, what: string): void {
  if (!holds) throw notInOnnx(use.layer, `${what} cannot be written as ONNX`);
}

const lastAxis = (use: LayerUse, axis: unknown) =>
  need(use, axis === -1 || axis === use.shapes[0]!.length, `axis ${String(axis)}`);

/** Zeros before and behind, so that there is an output for each `stride` inputs: TensorFlow's 'same' has the odd one behind. */
function samePadding(size: number, at: { kernel: number; stride: number; dilation: number }): [number, number] {
  const { kernel, stride, dilation } = at;
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** The window of a convolution or a pool. */
function windowOf(use: LayerUse, given: unknown): Record<string, OnnxAttribute> {
  const { strides: stridesGiven, padding, dataFormat, dilationRate } = use.layer.getConfig();
  need(use, dataFormat === undefined || dataFormat === 'channelsLast', `data format ${String(dataFormat)}`);
  need(use, padding === 'valid' || padding === 'same', `padding ${String(padding)}`);
  const [kernel, strides, dilations] = [pair(given), pair(stridesGiven), pair(dilationRate ?? 1)];
  const sides = [0, 1].map((axis): [number, number] =>
    padding === 'valid'
      ? [0, 0]
      : samePadding(use.shapes[0]![axis]!, {
          kernel: kernel[axis]!,
          stride: strides[axis]!,
          dilation: dilations[axis]!,
        }),
  );
  const pads = [...sides.map(([before]) => before), ...sides.map(([, behind]) => behind)];
  return { kernel_shape: kernel, strides, pads, ...(dilationRate !== undefined && { dilations }) };
}

const weight = ({ layer, graph }: LayerUse, index: number, order?: readonly number[]) =>
  graph.tensor(`${layer.name}.${index}`, layer.getWeights()[index]!, order);

const bias = (use: LayerUse, index: number) => (use.layer.getConfig()['useBias'] === true ? [weight(use, index)] : []);

/** Kernels `[h, w, in, multiplier]` as `[in multiplier, 1, h, w]`, one group for each input channel. */
function depthwise(use: LayerUse, more: readonly OnnxValue[] = []): OnnxValue {
  const { layer, graph, inputs } = use;
  const [kernel] = layer.getWeights();
  const [height, width, channels, multiplier] = kernel!.shape as [number, number, number, number];
  const turned = reshape(transpose(kernel!, [2, 3, 0, 1]), [channels * multiplier, 1, height, width]);
  const filter = graph.tensor(`${layer.name}.0`, turned);
  return graph.op('Conv', [inputs[0]!, filter, ...more], { ...windowOf(use, [height, width]), group: channels });
}

const pool =
  (type: string): Writer =>
  (use) =>
    use.graph.op(type, use.inputs, windowOf(use, use.layer.getConfig()['poolSize']));
const globalPool =
  (type: string): Writer =>
  ({ graph, inputs }) =>
    graph.op('Flatten', [graph.op(type, inputs)], { axis: 1 });
const merge =
  (type: string): Writer =>
  ({ graph, inputs }) =>
    inputs.slice(1).reduce((sum, input) => graph.op(type, [sum, input]), inputs[0]!);
const same: Writer = ({ inputs }) => inputs[0]!;
const toLast = ({ graph, shapes }: LayerUse, x: OnnxValue) =>
  shapes[0]!.length === 3 ? graph.op('Transpose', [x], { perm: [0, 2, 3, 1] }) : x;
const number = ({ graph }: LayerUse, value: unknown) =>
  graph.constant(`number.${String(value)}`, Float32Array.of(value as number), []);

function batchNormalization(use: LayerUse): OnnxValue {
  const { layer, graph, inputs, shapes } = use;
  const { epsilon, axis, center, scale } = layer.getConfig() as Config & { epsilon: number };
  lastAxis(use, axis);
  const weights = layer.getWeights().map((_, i) => weight(use, i));
  const channels = shapes[0]!.at(-1)!;
  const filled = (name: string, value: number) =>
    graph.constant(`${name}.${channels}`, new Float32Array(channels).fill(value));
  const gamma = scale === false ? filled('ones', 1) : weights.shift()!;
  const beta = center === false ? filled('zeros', 0) : weights.shift()!;
  return graph.op('BatchNormalization', [inputs[0]!, gamma, beta, ...weights], { epsilon: { float: epsilon } });
}

function zeroPadding(use: LayerUse): OnnxValue {
  const { padding, dataFormat } = use.layer.getConfig() as Config & { padding: [[number, number], [number, number]] };
  need(use, dataFormat === undefined || dataFormat === 'channelsLast', `data format ${String(dataFormat)}`);
  const [[top, bottom], [left, right]] = padding;
  const sides = [0, 0, top, left, 0, 0, bottom, right];
  return use.graph.op('Pad', [
    use.inputs[0]!,
    use.graph.constant(`pads.${sides.join('.')}`, BigInt64Array.from(sides, BigInt)),
  ]);
}

function rectifier(use: LayerUse): OnnxValue {
  const { maxValue } = use.layer.getConfig();
  if (maxValue === undefined || maxValue === null) return activation('relu', use.inputs[0]!, use);
  return use.graph.op('Clip', [use.inputs[0]!, number(use, 0), number(use, maxValue)]);
}

function concatenate(use: LayerUse): OnnxValue {
  lastAxis(use, use.layer.getConfig()['axis']);
  return use.graph.op('Concat', use.inputs, { axis: 1 });
}

function parametricRectifier(use: LayerUse): OnnxValue {
  const [alpha] = use.layer.getWeights();
  const order = alpha!.rank === 3 ? [2, 0, 1] : undefined;
  return use.graph.op('PRelu', [use.inputs[0]!, weight(use, 0, order)]);
}

function dense(use: LayerUse): OnnxValue {
  need(use, use.shapes[0]!.length === 1, `a dense layer on [${use.shapes[0]!.join(', ')}]`);
  return use.graph.op('Gemm', [use.inputs[0]!, weight(use, 0), ...bias(use, 1)]);
}

function softmax(use: LayerUse): OnnxValue {
  lastAxis(use, use.layer.getConfig()['axis'] ?? -1);
  return activation('softmax', use.inputs[0]!, use);
}

/** How each class of layers becomes operators, without its activation. */
export const layerWriters: Readonly<Record<string, Writer | undefined>> = {
  InputLayer: same,
  Dropout: same,
  SpatialDropout2D: same,
  GaussianNoise: same,
  GaussianDropout: same,
  AlphaDropout: same,
  Conv2D: (use) =>
    use.graph.op(
      'Conv',
      [use.inputs[0]!, weight(use, 0, [3, 2, 0, 1]), ...bias(use, 1)],
      windowOf(use, use.layer.getConfig()['kernelSize']),
    ),
  DepthwiseConv2D: (use) => depthwise(use, bias(use, 1)),
  SeparableConv2D: (use) => use.graph.op('Conv', [depthwise(use), weight(use, 1, [3, 2, 0, 1]), ...bias(use, 2)]),
  Dense: dense,
  BatchNormalization: batchNormalization,
  Activation: (use) => activation(use.layer.getConfig()['activation'] as string, use.inputs[0]!, use),
  ReLU: rectifier,
  LeakyReLU: (use) =>
    use.graph.op('LeakyRelu', use.inputs, { alpha: { float: use.layer.getConfig()['alpha'] as number } }),
  ELU: (use) => use.graph.op('Elu', use.inputs, { alpha: { float: use.layer.getConfig()['alpha'] as number } }),
  PReLU: parametricRectifier,
  Softmax: softmax,
  Add: merge('Add'),
  Multiply: merge('Mul'),
  Maximum: merge('Max'),
  Minimum: merge('Min'),
  Average: (use) => use.graph.op('Mean', use.inputs),
  Concatenate: concatenate,
  ZeroPadding2D: zeroPadding,
  MaxPooling2D: pool('MaxPool'),
  AveragePooling2D: pool('AveragePool'),
  GlobalAveragePooling2D: globalPool('GlobalAveragePool'),
  GlobalMaxPooling2D: globalPool('GlobalMaxPool'),
  Flatten: (use) => use.graph.op('Flatten', [toLast(use, use.inputs[0]!)], { axis: 1 }),
  Rescaling: (use) => {
    const { scale, offset } = use.layer.getConfig();
    return use.graph.op('Add', [use.graph.op('Mul', [use.inputs[0]!, number(use, scale)]), number(use, offset)]);
  },
};
