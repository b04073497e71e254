import { add as plus } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { BulwarkError } from '../../errors.js';
import { defineLayer, type NodeId } from '../layer.js';

export interface AddNode {
  readonly op: 'add';
  readonly input: NodeId;
  readonly other: NodeId;
}

/** The sum of two outputs of one shape. */
export const add = defineLayer<AddNode, [input: NodeId, other: NodeId]>({
  op: 'add',
  node: (from, other) => ({ input: from, other }),
  shape: (_node, [one, other]) => {
    if (one!.join() !== other!.join())
      throw new BulwarkError('MODEL_INVALID', `add of [${one!.join(', ')}] and [${other!.join(', ')}]`, {
        hint: 'both inputs need the same shape',
      });
    return one!;
  },
  forward: (_node, [a, b]) => ({ y: plus(a!, b!) }),
  backward: (_node, dy) => ({ inputs: [dy, dy] }),
  stockLayers: () => [{ layer: layers.add() }],
  onnx: (_node, inputs, { op }) => op('Add', inputs),
});
