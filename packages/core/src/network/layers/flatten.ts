import { reshape } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { defineLayer, type NodeId } from '../layer.js';
import { volume } from '../start.js';

export interface FlattenNode {
  readonly op: 'flatten';
  readonly input: NodeId;
}

/** All values of an image in one row. */
export const flatten = defineLayer<FlattenNode, [input: NodeId]>({
  op: 'flatten',
  node: (from) => ({ input: from }),
  shape: (_node, [shape]) => [volume(shape!)],
  forward: (_node, [x]) => ({ y: reshape(x!, [x!.shape[0]!, -1]) }),
  backward: (_node, dy, { shapes }) => ({ inputs: [reshape(dy, [...shapes[0]!])] }),
  stockLayers: () => [{ layer: layers.flatten() }],
  onnx: (_node, [x], { op, shapes }) => {
    // our rows have the channels last
    const rows = shapes[0]!.length === 3 ? op('Transpose', [x!], { perm: [0, 2, 3, 1] }) : x!;
    return op('Flatten', [rows], { axis: 1 });
  },
});
