import { mean } from '../../tensor/index.js';
import type { Tensor4D } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { spatialMean, spatialMeanGrad } from '../../ops/index.js';
import { defineLayer, type NodeId } from '../layer.js';

export interface GlobalAveragePoolNode {
  readonly op: 'global-average-pool';
  readonly input: NodeId;
}

/** The mean over height and width: `[batch, channels]`. */
export const globalAveragePool = defineLayer<GlobalAveragePoolNode, [input: NodeId]>({
  op: 'global-average-pool',
  node: (from) => ({ input: from }),
  shape: (_node, [shape]) => [shape!.at(-1)!],
  forward: (_node, [x]) => ({ y: spatialMean(x as Tensor4D) }),
  backward: (_node, dy, { shapes }) => {
    const [, height, width] = shapes[0] as [number, number, number, number];
    return { inputs: [spatialMeanGrad({ dy }, { height, width })] };
  },
  stock: (_node, [x]) => mean(x!, [1, 2]),
  stockLayers: () => [{ layer: layers.globalAveragePooling2d({}) }],
  onnx: (_node, inputs, { op }) => op('Flatten', [op('GlobalAveragePool', inputs)], { axis: 1 }),
});
