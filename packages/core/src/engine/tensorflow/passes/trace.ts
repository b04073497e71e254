import type { NodeId } from '../../../classifier/graph.js';
import type { Step } from '../../../classifier/plan.js';
import type { PassRequest } from '../../passes.js';
import type { TracedLayer, Tracing } from './layer.js';
import { tracedLayer } from './layers.js';
import { graphNodes, type GraphNode, type Value } from './nodes.js';

/** A pass of a network and its gradient in the images, as one TensorFlow graph that is run in two parts. */
export interface TracedPass {
  readonly nodes: readonly GraphNode[];
  /** `[batch, h, w, c]`, given to the forward part. */
  readonly images: Value;
  /** `[batch, classes]`, found by the forward part. */
  readonly logits: Value;
  /** `[batch, classes]`, given to the backward part. */
  readonly dLogits: Value;
  /** `[batch, h, w, c]`, found by the backward part. */
  readonly dImages: Value;
  /** The variables that each part is given, by name. */
  readonly weights: { readonly forward: ReadonlyMap<string, Value>; readonly backward: ReadonlyMap<string, Value> };
  /** What the forward part finds, and as what the backward part is given it. */
  readonly kept: ReadonlyMap<Value, Value>;
}

/** Traces the steps of a pass, forwards and backwards. */
export function tracePass({ graph: network, steps, mode, epsilon }: PassRequest): TracedPass {
  const graph = graphNodes();
  const placeholders = new Map<string, Value>();
  const weights = { forward: new Map<string, Value>(), backward: new Map<string, Value>() };
  const kept = new Map<Value, Value>();
  const outputs = new Map<NodeId, Value>();
  let part: keyof typeof weights = 'forward';

  const placeholder = (known: Map<string, Value>, key: string, shape: readonly number[]): Value => {
    if (!known.has(key)) known.set(key, graph.placeholder(shape));
    return known.get(key)!;
  };
  const tracing: Tracing = {
    network,
    graph,
    batchStatistics: mode === 'batch',
    epsilon,
    at: (id) => outputs.get(id)!,
    weight(name, shape) {
      weights[part].set(name, placeholder(placeholders, name, shape));
      return placeholders.get(name)!;
    },
    kept: (value, shape) => placeholder(kept, value, shape),
  };

  const images = graph.placeholder([-1, ...network.inputShape]);
  const layers = steps.map((step): { step: Step; layer: TracedLayer } => {
    const layer = tracedLayer(tracing, images, step);
    outputs.set(step.id, layer.output);
    return { step, layer };
  });

  part = 'backward';
  const last = steps.at(-1)!.id;
  const dLogits = graph.placeholder([-1, ...network.shapes[last]!]);
  const gradients = new Map<NodeId, Value>([[last, dLogits]]);
  for (const { step, layer } of layers.reverse()) {
    const dy = gradients.get(step.id);
    if (dy === undefined) continue;
    for (const [id, dx] of layer.gradient(dy)) {
      const other = gradients.get(id);
      gradients.set(id, other === undefined ? dx : graph.float('AddV2', other, dx));
    }
  }
  return { nodes: graph.nodes, images, logits: outputs.get(last)!, dLogits, dImages: gradients.get(0)!, weights, kept };
}
