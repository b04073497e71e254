import { abs, cast, greaterEqual, mul, reshape, sqrt, sub, where } from '../../tensor/index.js';
import type { Tensor } from '../../tensor/index.js';
import { defineLayer, type LayerContext, type NodeId, type VariableSpec } from '../layer.js';
import { notStock } from './squeeze-excitation.js';

export interface MeanSparseNode {
  readonly op: 'mean-sparse';
  readonly name: string;
  readonly input: NodeId;
}

/** The mean of each channel, and the distance from it below which values become it. */
function bandOf({ name }: MeanSparseNode, { value }: Pick<LayerContext, 'value'>): { mean: Tensor; band: Tensor } {
  const mean = value(`${name}.running_mean`);
  return { mean, band: mul(value(`${name}.threshold`), sqrt(value(`${name}.running_var`))) };
}

/** Is a value outside of the band around its channel's mean? */
function outside(node: MeanSparseNode, x: Tensor, context: LayerContext): { is: Tensor; mean: Tensor } {
  const { mean, band } = bandOf(node, context);
  return { is: greaterEqual(abs(sub(x, mean)), band), mean };
}

/**
 * Replaces values close to their channel's mean by the mean: within `threshold` standard deviations (Amini et al., 2024;
 * arXiv:2406.05927, equation 3). Its statistics are fixed and none of BatchNorm's. The gradient is 0 inside the band, as in the authors' code.
 */
export const meanSparse = defineLayer<MeanSparseNode, [name: string, input: NodeId]>({
  op: 'mean-sparse',
  node: (name, from) => ({ name, input: from }),
  shape: (_node, [shape]) => shape!,
  variables: ({ name }, input) => {
    const spec = (part: string, shape: readonly number[], constant: number): VariableSpec => ({
      name: `${name}.${part}`,
      shape,
      trainable: false,
      start: { constant },
    });
    const channels = [input.at(-1)!];
    return [spec('running_mean', channels, 0), spec('running_var', channels, 1), spec('threshold', [], 0)];
  },
  forward: (node, [x], context) => {
    const { is, mean } = outside(node, x!, context);
    return { y: where(is, x!, mean), residuals: [x!] };
  },
  backward: (node, dy, context) => ({
    inputs: [mul(dy, cast(outside(node, context.residuals[0]!, context).is, 'float32'))],
  }),
  stockLayers: ({ name }) => {
    throw notStock(`MeanSparse ${name}`);
  },
  onnx: (node, [x], { op, tensor, value, shapes }) => {
    const { mean, band } = bandOf(node, { value });
    // one number per channel, before height and width
    const ofChannels = (part: string, values: Tensor) => {
      const channels = reshape(values, [values.size, ...shapes[0]!.slice(1).map(() => 1)]);
      return tensor(`${node.name}.${part}`, channels);
    };
    const [centre, width] = [ofChannels('mean', mean), ofChannels('band', band)];
    const distance = op('Abs', [op('Sub', [x!, centre])]);
    return op('Where', [op('GreaterOrEqual', [distance, width]), x!, centre]);
  },
});
