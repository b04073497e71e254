import type { ImageShape } from '../batch.js';
import { BulwarkError } from '../errors.js';
import { inputsOf, type AnyLayer, type Layer, type NodeId, type Shape } from './layer.js';
import { layers } from './layers/index.js';

type Layers = typeof layers;
type NodeOf<L> = L extends Layer<infer N, infer _Arguments> ? N : never;
type ArgumentsOf<L> = L extends Layer<infer _N, infer Arguments> ? Arguments : never;

/** One operation. Names are PyTorch's module names, so that parameters are exchanged by name. */
export type Node = NodeOf<Layers[keyof Layers]>;

/** An architecture as data: it can be run, counted, converted to stock layers, and written with PyTorch's names. */
export interface NetworkGraph {
  readonly inputShape: ImageShape;
  readonly nodes: readonly Node[];
  /** Output shape of each node without the batch: `[h, w, c]` or `[features]`. */
  readonly shapes: readonly Shape[];
}

/** Adds nodes; each method is a layer of `network/layers`, takes its arguments and returns the new node's id. The last node is the output. */
export type GraphBuilder = {
  readonly [Name in Exclude<keyof Layers, 'input'>]: (...given: ArgumentsOf<Layers[Name]>) => NodeId;
} & {
  readonly input: NodeId;
  /** Number of channels (or features) of a node's output. */
  channels(id: NodeId): number;
};

const byOp = new Map<string, AnyLayer>(Object.values(layers).map((layer) => [layer.op, layer]));

/** The layer that a node is of. */
export const layerOf = (node: Node): AnyLayer => byOp.get(node.op)!;

/** Refuses what cannot be computed, while the architecture is built and before any weight is allocated. */
function checkShape(node: Node, shape: Shape, inputs: readonly Shape[]): void {
  if (shape.every((n) => Number.isInteger(n) && n >= 1)) return;
  const what = 'name' in node ? `${node.op} ${node.name}` : node.op;
  const from = inputs[0] ? `[${inputs[0].join(', ')}]` : 'the image';
  throw new BulwarkError('MODEL_INVALID', `${what} turns ${from} into [${shape.join(', ')}]`, {
    hint: 'use larger images, or an architecture that makes them smaller fewer times',
  });
}

/**
 * Builds a graph: `build` receives the builder and adds nodes from `builder.input` to the logits.
 * @example
 * ```ts
 * const graph = networkGraph([8, 8, 3], (g) => {
 *   const features = g.relu(g.conv('conv', g.input, { filters: 4, kernel: 3, stride: 2 }));
 *   return g.linear('fc', g.globalAveragePool(features), { units: 10 });
 * });
 * parameterCount(createNetwork(graph, { name: 'tiny', random: createRandom(1, 'initialisation') })); // => 158
 * ```
 * @category Networks and passes
 */
export function networkGraph(inputShape: ImageShape, build: (builder: GraphBuilder) => NodeId): NetworkGraph {
  const nodes: Node[] = [];
  const shapes: Shape[] = [];
  const adds =
    (layer: AnyLayer) =>
    (...given: unknown[]): NodeId => {
      const node = { op: layer.op, ...layer.node(...given) } as Node;
      const inputs = inputsOf(node).map((id) => shapes[id]!);
      const shape = layer.shape(node, inputs);
      checkShape(node, shape, inputs);
      nodes.push(node);
      shapes.push(shape);
      return nodes.length - 1;
    };
  const methods = Object.fromEntries(Object.entries(layers).map(([name, layer]) => [name, adds(layer)]));
  const input = adds(layers.input)(inputShape);
  build({ ...methods, input, channels: (id: NodeId) => shapes[id]!.at(-1)! } as unknown as GraphBuilder);
  return { inputShape, nodes, shapes };
}
