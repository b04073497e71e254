import type { NetworkGraph } from './graph.js';
import { variableSpecs } from './variables.js';

const volume = (shape: readonly number[]) => shape.reduce((size, n) => size * n, 1);

/** Number of trainable scalars of a graph, without allocating them. */
export function graphParameterCount(graph: NetworkGraph): number {
  return variableSpecs(graph).reduce((sum, { shape, trainable }) => sum + (trainable ? volume(shape) : 0), 0);
}

/** Multiply-accumulates of the convolutions and linear layers for one image, as papers count them. */
export function multiplyAccumulates(graph: NetworkGraph): number {
  return graph.nodes.reduce((sum, node, id) => {
    if (node.op === 'conv')
      return sum + volume(graph.shapes[id]!) * node.kernel ** 2 * graph.shapes[node.input]!.at(-1)!;
    if (node.op === 'linear') return sum + node.units * volume(graph.shapes[node.input]!);
    return sum;
  }, 0);
}
