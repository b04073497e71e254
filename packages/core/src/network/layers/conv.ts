import { add, conv2d as stockConv2d, sum } from '../../tensor/index.js';
import type { Tensor, Tensor4D } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { conv2d, conv2dFilterGrad, conv2dInputGrad, padded } from '../../ops/index.js';
import { defineLayer, stockName, type LayerContext, type NodeId, type Shape, type VariableSpec } from '../layer.js';
import { uniformFanIn, volume } from '../start.js';

/** How the weights of a layer start: PyTorch's default, or N(0, 2 / (k k out)) as in Wide ResNets. */
export type Initialisation = 'uniform-fan-in' | 'normal-fan-out';

export interface ConvNode {
  readonly op: 'conv';
  readonly name: string;
  readonly input: NodeId;
  readonly filters: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly bias: boolean;
  readonly init: Initialisation;
}

const filterOf = ({ name }: ConvNode, { value }: LayerContext) => value(`${name}.weight`) as Tensor4D;
const withBias = ({ name, bias }: ConvNode, y: Tensor, { value }: LayerContext): Tensor =>
  bias ? add(y, value(`${name}.bias`)) : y;

/** Height, width or channels of what a convolution reads, as its filter's shape needs them. */
const filterShape = ({ kernel, filters }: ConvNode, input: Shape): [number, number, number, number] => [
  kernel,
  kernel,
  input.at(-1)!,
  filters,
];

/** A convolution with PyTorch's symmetric padding; by default the output keeps the size at stride 1, without bias. */
export const conv = defineLayer<
  ConvNode,
  [
    name: string,
    input: NodeId,
    options: {
      filters: number;
      kernel: number;
      stride?: number;
      padding?: number;
      bias?: boolean;
      init?: Initialisation;
    },
  ]
>({
  op: 'conv',
  node: (
    name,
    from,
    { filters, kernel, stride = 1, padding = (kernel - 1) / 2, bias = false, init = 'uniform-fan-in' },
  ) => ({ name, input: from, filters, kernel, stride, padding, bias, init }),
  shape: ({ kernel, stride, padding, filters }, [shape]) => {
    const size = (n: number) => Math.floor((n + 2 * padding - kernel) / stride) + 1;
    return [size(shape![0]!), size(shape![1]!), filters];
  },
  variables: (node, input) => {
    const { name, kernel, filters, init, bias } = node;
    const fanIn = kernel ** 2 * input.at(-1)!;
    const start = init === 'uniform-fan-in' ? uniformFanIn(fanIn) : { normal: Math.sqrt(2 / (kernel ** 2 * filters)) };
    const weight: VariableSpec = { name: `${name}.weight`, shape: filterShape(node, input), trainable: true, start };
    const own: VariableSpec = { name: `${name}.bias`, shape: [filters], trainable: true, start: uniformFanIn(fanIn) };
    return bias ? [weight, own] : [weight];
  },
  multiplyAccumulates: ({ kernel }, { input, output }) => volume(output) * kernel ** 2 * input.at(-1)!,
  forward: (node, [x], context) => ({
    y: withBias(node, conv2d(x as Tensor4D, filterOf(node, context), node), context),
    residuals: context.wrtParameters ? [x!] : [],
  }),
  backward: (node, dy, context) => {
    const { stride, padding, name } = node;
    const filter = filterOf(node, context);
    const inputShape = context.shapes[0] as Tensor4D['shape'];
    const geometry = { stride, padding };
    return {
      ...(context.wrtInputs && {
        inputs: [conv2dInputGrad({ dy: dy as Tensor4D, filter }, { ...geometry, inputShape })],
      }),
      ...(context.wrtParameters && {
        parameters: {
          [`${name}.weight`]: conv2dFilterGrad(
            { x: context.residuals[0] as Tensor4D, dy: dy as Tensor4D },
            { ...geometry, filterShape: filter.shape },
          ),
          ...(node.bias && { [`${name}.bias`]: sum(dy, [0, 1, 2]) }),
        },
      }),
    };
  },
  stock: (node, [x], context) =>
    withBias(
      node,
      stockConv2d(padded(x as Tensor4D, node.padding), filterOf(node, context), node.stride, 'valid'),
      context,
    ),
  stockLayers: ({ name, filters, kernel, stride, padding, bias }, value) => {
    // padding 'same' of TensorFlow pads strided convolutions on other sides than PyTorch
    const padded = { layer: layers.zeroPadding2d({ name: `${stockName(name)}_pad`, padding }) };
    const layer = layers.conv2d({
      name: stockName(name),
      ...{ filters, kernelSize: kernel, strides: stride, padding: 'valid', useBias: bias },
    });
    const weights = () => [value(`${name}.weight`), ...(bias ? [value(`${name}.bias`)] : [])];
    return [...(padding > 0 ? [padded] : []), { layer, weights }];
  },
  onnx: ({ name, kernel, stride, padding, bias }, [x], { op, tensor, value }) => {
    const filter = tensor(`${name}.weight`, value(`${name}.weight`), [3, 2, 0, 1]);
    const inputs = [x!, filter, ...(bias ? [tensor(`${name}.bias`, value(`${name}.bias`))] : [])];
    const pads = [padding, padding, padding, padding];
    return op('Conv', inputs, { kernel_shape: [kernel, kernel], strides: [stride, stride], pads });
  },
});
