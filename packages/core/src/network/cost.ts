import { layerOf, type NetworkGraph } from './graph.js';
import { inputsOf } from './layer.js';
import { volume } from './start.js';
import { variableSpecs } from './variables.js';

/** Number of trainable scalars of a graph, without allocating them. */
export function graphParameterCount(graph: NetworkGraph): number {
  return variableSpecs(graph).reduce((sum, { shape, trainable }) => sum + (trainable ? volume(shape) : 0), 0);
}

/** Multiply-accumulates of the convolutions and linear layers for one image, as papers count them. */
export function multiplyAccumulates(graph: NetworkGraph): number {
  return graph.nodes.reduce((sum, node, id) => {
    const [input] = inputsOf(node);
    if (input === undefined) return sum;
    const shapes = { input: graph.shapes[input]!, output: graph.shapes[id]! };
    return sum + (layerOf(node).multiplyAccumulates?.(node, shapes) ?? 0);
  }, 0);
}
