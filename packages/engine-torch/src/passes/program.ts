import { batchNormEpsilon, type NetworkGraph, type ParameterStore } from '@bulwark/core/network';

/** A layer as `native/graph.cc` reads it: its op, the nodes that it reads, places of its weights, settings. */
export type NativeNode = readonly (string | number | readonly number[])[];

/** A network as the addon runs it. */
export interface Program {
  readonly nodes: readonly NativeNode[];
  /** Names of the weights that each pass is given, in order: the store's parameters, then its statistics. */
  readonly weights: readonly string[];
  /** Names of the layers, by node. */
  readonly layers: readonly (string | undefined)[];
}

/**
 * Writes a graph for the addon.
 * @throws Error for a layer that it does not know: passes then go op by op
 */
export function programOf(graph: NetworkGraph, store: ParameterStore): Program {
  const weights = [...store.parameters, ...store.statistics];
  const places = new Map(weights.map((name, place) => [name, place]));
  const place = (name: string): number => {
    const found = places.get(name);
    if (found === undefined) throw new Error(`the network has no variable ${name}`);
    return found;
  };
  const nodes = graph.nodes.map((node): NativeNode => {
    switch (node.op) {
      case 'input':
        return [node.op];
      case 'normalize':
        return [node.op, node.input, node.mean, node.std];
      case 'pad':
        return [node.op, node.input, [node.top, node.bottom, node.left, node.right]];
      case 'conv': {
        const bias = node.bias ? place(`${node.name}.bias`) : -1;
        return [node.op, node.input, [place(`${node.name}.weight`), bias], node.stride, node.padding];
      }
      case 'batch-norm': {
        const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => place(`${node.name}.${part}`));
        return [node.op, node.input, parts, batchNormEpsilon];
      }
      case 'relu':
      case 'silu':
      case 'flatten':
      case 'global-average-pool':
        return [node.op, node.input];
      case 'add':
        return [node.op, node.input, node.other];
      case 'max-pool':
        return [node.op, node.input, node.size];
      case 'linear':
        return [node.op, node.input, [place(`${node.name}.weight`), place(`${node.name}.bias`)]];
      default:
        throw new Error(`torch runs no whole passes of networks with ${(node as { op: string }).op}`);
    }
  });
  return { nodes, weights, layers: graph.nodes.map((node) => ('name' in node ? node.name : undefined)) };
}
