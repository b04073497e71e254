import { add, matMul, sum } from '../../tensor/index.js';
import type { Tensor2D } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { defineLayer, stockName, type NodeId, type VariableSpec } from '../layer.js';
import { uniformFanIn } from '../start.js';

export interface LinearNode {
  readonly op: 'linear';
  readonly name: string;
  readonly input: NodeId;
  readonly units: number;
  readonly zeroBias: boolean;
}

/** A linear layer with bias, `x W + b`; W is `[in, out]`. */
export const linear = defineLayer<
  LinearNode,
  [name: string, input: NodeId, options: { units: number; zeroBias?: boolean }]
>({
  op: 'linear',
  node: (name, from, { units, zeroBias = false }) => ({ name, input: from, units, zeroBias }),
  shape: ({ units }) => [units],
  variables: ({ name, units, zeroBias }, input) => {
    const start = uniformFanIn(input[0]!);
    const weight: VariableSpec = { name: `${name}.weight`, shape: [input[0]!, units], trainable: true, start };
    const bias = { name: `${name}.bias`, shape: [units], trainable: true, start: zeroBias ? { constant: 0 } : start };
    return [weight, bias];
  },
  multiplyAccumulates: ({ units }, { input }) => units * input[0]!,
  forward: ({ name }, [x], { value, wrtParameters }) => ({
    y: add(matMul(x as Tensor2D, value(`${name}.weight`) as Tensor2D), value(`${name}.bias`)),
    residuals: wrtParameters ? [x!] : [],
  }),
  backward: ({ name }, dy, { value, residuals, wrtInputs, wrtParameters }) => ({
    ...(wrtInputs && { inputs: [matMul(dy as Tensor2D, value(`${name}.weight`) as Tensor2D, false, true)] }),
    ...(wrtParameters && {
      parameters: {
        [`${name}.weight`]: matMul(residuals[0] as Tensor2D, dy as Tensor2D, true, false),
        [`${name}.bias`]: sum(dy, 0),
      },
    }),
  }),
  stockLayers: ({ name, units }, value) => [
    {
      layer: layers.dense({ name: stockName(name), units }),
      weights: () => [value(`${name}.weight`), value(`${name}.bias`)],
    },
  ],
  onnx: ({ name }, [x], { op, tensor, value }) =>
    op('Gemm', [x!, ...['weight', 'bias'].map((part) => tensor(`${name}.${part}`, value(`${name}.${part}`)))]),
});
