import type { ImageShape } from '../batch.js';
import { BulwarkError } from '../errors.js';

/** Reference to a node of a network graph: its position in `nodes`. */
export type NodeId = number;

/** How the weights of a layer start. */
export type Initialisation = 'uniform-fan-in' | 'normal-fan-out';

/** One operation. Names are PyTorch's module names, so that parameters are exchanged by name. */
export type Node =
  | { readonly op: 'input' }
  | {
      readonly op: 'normalize';
      readonly input: NodeId;
      readonly mean: readonly number[];
      readonly std: readonly number[];
    }
  | {
      readonly op: 'conv';
      readonly name: string;
      readonly input: NodeId;
      readonly filters: number;
      readonly kernel: number;
      readonly stride: number;
      readonly padding: number;
      readonly bias: boolean;
      readonly init: Initialisation;
    }
  | { readonly op: 'batch-norm'; readonly name: string; readonly input: NodeId }
  | { readonly op: 'relu'; readonly input: NodeId }
  | { readonly op: 'add'; readonly input: NodeId; readonly other: NodeId }
  | { readonly op: 'max-pool'; readonly input: NodeId; readonly size: number }
  | { readonly op: 'global-average-pool'; readonly input: NodeId }
  | { readonly op: 'flatten'; readonly input: NodeId }
  | {
      readonly op: 'linear';
      readonly name: string;
      readonly input: NodeId;
      readonly units: number;
      readonly zeroBias: boolean;
    };

/** An architecture as data: it can be run, counted, converted to stock layers, and written with PyTorch's names. */
export interface NetworkGraph {
  readonly inputShape: ImageShape;
  readonly nodes: readonly Node[];
  /** Output shape of each node without the batch: `[h, w, c]` or `[features]`. */
  readonly shapes: readonly (readonly number[])[];
}

/** Adds nodes; each method returns the new node's id. The last node added is the output. */
export interface GraphBuilder {
  readonly input: NodeId;
  /** Subtracts the mean and divides by the standard deviation of each channel. */
  normalize(input: NodeId, options: { mean: readonly number[]; std: readonly number[] }): NodeId;
  /** A convolution with PyTorch's symmetric padding; by default the output keeps the size at stride 1, without bias. */
  conv(
    name: string,
    input: NodeId,
    options: {
      filters: number;
      kernel: number;
      stride?: number;
      padding?: number;
      bias?: boolean;
      init?: Initialisation;
    },
  ): NodeId;
  /** BatchNorm over channels, epsilon 1e-5. */
  batchNorm(name: string, input: NodeId): NodeId;
  /** `max(x, 0)`. */
  relu(input: NodeId): NodeId;
  /** The sum of two outputs of one shape. */
  add(input: NodeId, other: NodeId): NodeId;
  /** The maximum of squares of `size` that do not overlap. */
  maxPool(input: NodeId, size: number): NodeId;
  /** The mean over height and width: `[batch, channels]`. */
  globalAveragePool(input: NodeId): NodeId;
  /** All values of an image in one row. */
  flatten(input: NodeId): NodeId;
  /** A linear layer with bias. */
  linear(name: string, input: NodeId, options: { units: number; zeroBias?: boolean }): NodeId;
  /** Number of channels (or features) of a node's output. */
  channels(id: NodeId): number;
}

function outputShape(
  node: Node,
  inputShape: ImageShape,
  shapeOf: (id: NodeId) => readonly number[],
): readonly number[] {
  switch (node.op) {
    case 'input':
      return inputShape;
    case 'conv': {
      const [h, w] = shapeOf(node.input) as ImageShape;
      const size = (n: number) => Math.floor((n + 2 * node.padding - node.kernel) / node.stride) + 1;
      return [size(h), size(w), node.filters];
    }
    case 'max-pool': {
      const [h, w, c] = shapeOf(node.input) as ImageShape;
      return [Math.floor(h / node.size), Math.floor(w / node.size), c];
    }
    case 'global-average-pool':
      return [shapeOf(node.input).at(-1)!];
    case 'flatten':
      return [shapeOf(node.input).reduce((size, n) => size * n, 1)];
    case 'linear':
      return [node.units];
    default:
      return shapeOf(node.input);
  }
}

/** Refuses what cannot be computed, while the architecture is built and before any weight is allocated. */
function checkNode(node: Node, shape: readonly number[], shapeOf: (id: NodeId) => readonly number[]): void {
  const fail = (what: string, cure: string): never => {
    throw new BulwarkError('MODEL_INVALID', what, { cure });
  };
  if (shape.some((n) => !Number.isInteger(n) || n < 1)) {
    const what = 'name' in node ? `${node.op} ${node.name}` : node.op;
    fail(
      `${what} turns ${'input' in node ? `[${shapeOf(node.input).join(', ')}]` : 'the image'} into [${shape.join(', ')}]`,
      'use larger images, or an architecture that makes them smaller fewer times',
    );
  }
  if (node.op === 'add' && shapeOf(node.input).join() !== shapeOf(node.other).join())
    fail(
      `add of [${shapeOf(node.input).join(', ')}] and [${shapeOf(node.other).join(', ')}]`,
      'both inputs need the same shape',
    );
  if (node.op === 'normalize')
    for (const [key, values] of [['mean', node.mean] as const, ['std', node.std] as const])
      if (values.length !== shape.at(-1))
        fail(
          `normalize.${key} has ${values.length} numbers, images have ${shape.at(-1)} channels`,
          'give one number per channel',
        );
}

/** Builds a graph: `build` receives the builder and adds nodes from `builder.input` to the logits. */
export function networkGraph(inputShape: ImageShape, build: (builder: GraphBuilder) => NodeId): NetworkGraph {
  const nodes: Node[] = [];
  const shapes: (readonly number[])[] = [];
  const push = (node: Node): NodeId => {
    const shape = outputShape(node, inputShape, (id) => shapes[id]!);
    checkNode(node, shape, (id) => shapes[id]!);
    nodes.push(node);
    shapes.push(shape);
    return nodes.length - 1;
  };
  const input = push({ op: 'input' });
  build({
    input,
    normalize: (from, { mean, std }) => push({ op: 'normalize', input: from, mean, std }),
    conv: (
      name,
      from,
      { filters, kernel, stride = 1, padding = (kernel - 1) / 2, bias = false, init = 'uniform-fan-in' },
    ) => push({ op: 'conv', name, input: from, filters, kernel, stride, padding, bias, init }),
    batchNorm: (name, from) => push({ op: 'batch-norm', name, input: from }),
    relu: (from) => push({ op: 'relu', input: from }),
    add: (from, other) => push({ op: 'add', input: from, other }),
    maxPool: (from, size) => push({ op: 'max-pool', input: from, size }),
    globalAveragePool: (from) => push({ op: 'global-average-pool', input: from }),
    flatten: (from) => push({ op: 'flatten', input: from }),
    linear: (name, from, { units, zeroBias = false }) => push({ op: 'linear', name, input: from, units, zeroBias }),
    channels: (id) => shapes[id]!.at(-1)!,
  });
  return { inputShape, nodes, shapes };
}
