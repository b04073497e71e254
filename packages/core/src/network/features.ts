import { addN } from '../tensor/index.js';
import type { Tensor } from '../tensor/index.js';
import type { NetworkGraph } from './graph.js';
import { inputsOf, type NodeId } from './layer.js';

/** What a layer reads is called after it. */
const ofInput = '.input';

/** The layers that features can be taken of, in the order of the network. */
export const featureNames = ({ nodes }: NetworkGraph): string[] =>
  nodes.flatMap((node) => ('name' in node ? [node.name] : []));

/** The node whose output `<name>` or `<name>.input` means; -1 if there is no such layer, or it reads the image. */
export function featureNode({ nodes }: NetworkGraph, feature: string): NodeId {
  const at = (name: string) => nodes.findIndex((node) => 'name' in node && node.name === name);
  const own = at(feature);
  if (own >= 0 || !feature.endsWith(ofInput)) return own;
  const layer = nodes[at(feature.slice(0, -ofInput.length))];
  return (layer && inputsOf(layer)[0]) || -1;
}

/** Gradients by node from those of the logits and of features; `free` disposes what had to be added up. */
export function joinedGradients(
  graph: NetworkGraph,
  dLogits: Tensor | undefined,
  dFeatures: ReadonlyMap<string, Tensor> = new Map(),
): { given: Map<NodeId, Tensor>; free: () => void } {
  const pieces = new Map<NodeId, Tensor[]>(dLogits ? [[graph.nodes.length - 1, [dLogits]]] : []);
  for (const [name, gradient] of dFeatures) {
    const id = featureNode(graph, name);
    pieces.set(id, [...(pieces.get(id) ?? []), gradient]);
  }
  const sums: Tensor[] = [];
  const sumOf = (tensors: Tensor[]): Tensor => {
    if (tensors.length === 1) return tensors[0]!;
    const sum = addN(tensors);
    sums.push(sum);
    return sum;
  };
  const given = new Map([...pieces].map(([id, tensors]) => [id, sumOf(tensors)]));
  return { given, free: () => sums.forEach((sum) => sum.dispose()) };
}
