import type { NetworkGraph, Node } from './graph.js';

/** How a variable starts: all one value, U(-bound, bound), or N(0, deviation^2). */
export type Start = { readonly constant: number } | { readonly uniform: number } | { readonly normal: number };

/** A variable that a graph needs, described without allocating it. */
export interface VariableSpec {
  readonly name: string;
  /** Convolution kernels are HWIO, linear kernels `[in, out]`, all others `[channels]`. */
  readonly shape: readonly number[];
  readonly trainable: boolean;
  readonly start: Start;
}

/** PyTorch's default for convolutions and linear layers, weights and biases. */
const uniformFanIn = (fanIn: number): Start => ({ uniform: 1 / Math.sqrt(fanIn) });
const constant = (value: number): Start => ({ constant: value });

function specsOf(graph: NetworkGraph, node: Node): VariableSpec[] {
  if (node.op === 'conv') {
    const { name, kernel, filters, init, bias } = node;
    const channels = graph.shapes[node.input]!.at(-1)!;
    const fanIn = kernel ** 2 * channels;
    // Wide ResNet's: N(0, 2 / (k k out))
    const start = init === 'uniform-fan-in' ? uniformFanIn(fanIn) : { normal: Math.sqrt(2 / (kernel ** 2 * filters)) };
    const weight = { name: `${name}.weight`, shape: [kernel, kernel, channels, filters], trainable: true, start };
    const biasSpec = { name: `${name}.bias`, shape: [filters], trainable: true, start: uniformFanIn(fanIn) };
    return bias ? [weight, biasSpec] : [weight];
  }
  if (node.op === 'linear') {
    const { name, units, zeroBias } = node;
    const features = graph.shapes[node.input]![0]!;
    const start = uniformFanIn(features);
    return [
      { name: `${name}.weight`, shape: [features, units], trainable: true, start },
      { name: `${name}.bias`, shape: [units], trainable: true, start: zeroBias ? constant(0) : start },
    ];
  }
  if (node.op === 'batch-norm') {
    const shape = [graph.shapes[node.input]!.at(-1)!];
    return [
      { name: `${node.name}.weight`, shape, trainable: true, start: constant(1) },
      { name: `${node.name}.bias`, shape, trainable: true, start: constant(0) },
      { name: `${node.name}.running_mean`, shape, trainable: false, start: constant(0) },
      { name: `${node.name}.running_var`, shape, trainable: false, start: constant(1) },
    ];
  }
  return [];
}

/** All variables of a graph in node order: what it costs to keep, and what a weights file has to hold. */
export function variableSpecs(graph: NetworkGraph): VariableSpec[] {
  return graph.nodes.flatMap((node) => specsOf(graph, node));
}
