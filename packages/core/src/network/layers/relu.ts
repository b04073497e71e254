import { relu as stockRelu } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { relu as rectify, reluGrad } from '../../ops/index.js';
import { defineLayer, type NodeId } from '../layer.js';

export interface ReluNode {
  readonly op: 'relu';
  readonly input: NodeId;
}

/** `max(x, 0)`; the gradient at 0 is 0, as in PyTorch. */
export const relu = defineLayer<ReluNode, [input: NodeId]>({
  op: 'relu',
  node: (from) => ({ input: from }),
  shape: (_node, [shape]) => shape!,
  forward: (_node, [x]) => {
    // the output tells the sign as well as the input does, and the next layer keeps it anyway
    const y = rectify(x!);
    return { y, residuals: [y] };
  },
  backward: (_node, dy, { residuals }) => ({ inputs: [reluGrad({ dy, y: residuals[0]! }, {})] }),
  stock: (_node, [x]) => stockRelu(x!),
  stockLayers: () => [{ layer: layers.reLU() }],
  onnx: (_node, inputs, { op }) => op('Relu', inputs),
});
