import type { NetworkGraph, NodeId } from '@bulwark/core/network';
import type { OwnConvolution } from '../own-convolution.js';
import type { RealType } from './attributes.js';
import type { GraphNodes, Value } from './nodes.js';

/** What a layer is traced with. */
export interface Tracing {
  readonly network: NetworkGraph;
  readonly graph: GraphNodes;
  /** Normalise with the statistics of the batch? */
  readonly batchStatistics: boolean;
  readonly epsilon: number;
  /** Where the library has our own convolution. */
  readonly own: OwnConvolution | undefined;
  /** What this layer computes in: its inputs, its output and their gradients have this type. */
  readonly type: RealType;
  /** A node's output in the forward pass, `[batch, ...network.shapes[id]]`. */
  at(id: NodeId): Value;
  /** A variable, float32, in whichever pass is being traced. */
  weight(name: string, shape: readonly number[]): Value;
  /**
   * A float32 value of variables alone, under a name of its own, in the layer's type; computed again only when one of them has
   * changed.
   */
  ofWeights(name: string, compute: () => Value, shape: readonly number[]): Value;
  /** A value of the forward pass as the backward pass is given it; asked for in a layer's `gradient` only. `type`: the layer's. */
  kept(value: Value, shape: readonly number[], type?: RealType): Value;
}

/** A layer in the graph. */
export interface TracedLayer {
  readonly output: Value;
  /** Adds the ops of the gradient for an output's gradient; returns what goes to which inputs. */
  gradient(dy: Value): readonly (readonly [NodeId, Value])[];
  /** Adds the ops of the gradients in the layer's parameters, by name; asked for after `gradient`, with the same `dy`. */
  parameters?(dy: Value): readonly (readonly [string, Value])[];
  /** Mean and unbiased variance that a BatchNorm found in the batch. */
  readonly statistics?: { readonly layer: string; readonly mean: Value; readonly variance: Value };
}

/** Shape of a node's output with the batch, whose size each run decides. */
export const batchShape = ({ network }: Tracing, id: NodeId): number[] => [-1, ...network.shapes[id]!];
