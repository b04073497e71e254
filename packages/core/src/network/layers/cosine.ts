import { div, matMul, mul, sqrt, square, sub, sum } from '../../tensor/index.js';
import type { Tensor, Tensor2D } from '../../tensor/index.js';
import { defineLayer, type LayerContext, type NodeId } from '../layer.js';
import { uniformFanIn } from '../start.js';
import { notStock } from './squeeze-excitation.js';

export interface CosineNode {
  readonly op: 'cosine';
  readonly name: string;
  readonly input: NodeId;
  readonly units: number;
}

const lengths = (x: Tensor, axis: number): Tensor => sqrt(sum(square(x), axis, true));

/** The kernel `[in, out]` with columns of length 1. */
function directions({ name }: CosineNode, { value }: LayerContext): Tensor2D {
  const weight = value(`${name}.weight`);
  return div(weight, lengths(weight, 0));
}

/**
 * Cosines between features and a direction for each class (Pang et al., 2020; arXiv:2002.08619, section 3). As in the authors' code,
 * which writes normalised rows into the weight, no gradient goes through that normalisation.
 */
export const cosine = defineLayer<CosineNode, [name: string, input: NodeId, options: { units: number }]>({
  op: 'cosine',
  node: (name, from, { units }) => ({ name, input: from, units }),
  shape: ({ units }) => [units],
  variables: ({ name, units }, input) => [
    { name: `${name}.weight`, shape: [input[0]!, units], trainable: true, start: uniformFanIn(input[0]!) },
  ],
  multiplyAccumulates: ({ units }, { input }) => units * input[0]!,
  forward: (node, [x], context) => ({
    y: matMul(div(x!, lengths(x!, 1)) as Tensor2D, directions(node, context)),
    residuals: [x!],
  }),
  backward: (node, dy, context) => {
    const [x] = context.residuals as [Tensor];
    const length = lengths(x, 1);
    const unit = div(x, length) as Tensor2D;
    const dUnit = matMul(dy as Tensor2D, directions(node, context), false, true);
    return {
      ...(context.wrtInputs && { inputs: [div(sub(dUnit, mul(unit, sum(mul(unit, dUnit), 1, true))), length)] }),
      ...(context.wrtParameters && {
        parameters: { [`${node.name}.weight`]: matMul(unit, dy as Tensor2D, true, false) },
      }),
    };
  },
  stockLayers: ({ name }) => {
    throw notStock(`cosines ${name}`);
  },
  onnx: (node, [x], { op, tensor, value }) => {
    const unit = op('Div', [x!, op('ReduceL2', [x!], { axes: [1], keepdims: 1 })]);
    const context = { value, mode: 'eval', wrtParameters: false } as const;
    return op('MatMul', [unit, tensor(`${node.name}.directions`, directions(node, context))]);
  },
});
