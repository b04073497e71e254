import { add, customGrad, mul, sigmoid, sub } from '../../tensor/index.js';
import type { GradSaveFunc, Tensor } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { defineLayer, type NodeId } from '../layer.js';

export interface SiluNode {
  readonly op: 'silu';
  readonly input: NodeId;
}

/**
 * A sigmoid with a second derivative. TensorFlow.js's gradient of its own reads the output that it saved, which a second tape takes for a
 * constant; this one computes it again from the input.
 */
const differentiableSigmoid = customGrad((x, save) => {
  (save as GradSaveFunc)([x as Tensor]);
  return {
    value: sigmoid(x as Tensor),
    gradFunc: (dy: Tensor, [saved]: Tensor[]) => {
      const s = differentiableSigmoid(saved!);
      return mul(dy, mul(s, sub(1, s)));
    },
  };
}) as (x: Tensor) => Tensor;

/** `x sigmoid(x)` (Elfwing et al., 2017; arXiv:1702.03118), also called swish: the activation of today's robust models. */
export const silu = defineLayer<SiluNode, [input: NodeId]>({
  op: 'silu',
  node: (from) => ({ input: from }),
  shape: (_node, [shape]) => shape!,
  forward: (_node, [x]) => ({ y: mul(x!, sigmoid(x!)), residuals: [x!] }),
  backward: (_node, dy, { residuals: [x] }) => {
    // s (1 + x (1 - s))
    const s = sigmoid(x!);
    return { inputs: [mul(dy, mul(s, add(1, mul(x!, sub(1, s)))))] };
  },
  stock: (_node, [x]) => mul(x!, differentiableSigmoid(x!)),
  stockLayers: () => [{ layer: layers.activation({ activation: 'swish' }) }],
  onnx: (_node, [x], { op }) => op('Mul', [x!, op('Sigmoid', [x!])]),
});
