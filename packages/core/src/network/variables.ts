import { layerOf, type NetworkGraph } from './graph.js';
import { inputsOf, type VariableSpec } from './layer.js';

/** All variables of a graph in node order: what it costs to keep, and what a weights file has to hold. */
export function variableSpecs(graph: NetworkGraph): VariableSpec[] {
  const specs = graph.nodes.flatMap((node) => {
    const [input] = inputsOf(node);
    return input === undefined ? [] : (layerOf(node).variables?.(node, graph.shapes[input]!) ?? []);
  });
  // nodes may share variables: an activation with parameters of the whole network, say
  return [...new Map(specs.map((spec) => [spec.name, spec])).values()];
}
