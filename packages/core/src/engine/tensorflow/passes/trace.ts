import type { NodeId } from '../../../classifier/graph.js';
import type { Step } from '../../../classifier/plan.js';
import type { PassRequest } from '../../passes.js';
import type { TracedLayer, Tracing } from './layer.js';
import { tracedLayer } from './layers.js';
import { graphNodes, type GraphNode, type Value } from './nodes.js';

/** What is run together: what variables alone decide, the pass, its gradient. */
type Part = 'weights' | 'forward' | 'backward';

/** A pass of a network and its gradient in the images, as one TensorFlow graph that is run in three parts. */
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
  readonly weights: Readonly<Record<Part, ReadonlyMap<string, Value>>>;
  /** What the weights part finds, and as what the forward part is given it. */
  readonly folded: ReadonlyMap<Value, Value>;
  /** What the forward part finds, and as what the backward part is given it. */
  readonly kept: ReadonlyMap<Value, Value>;
}

/** Traces the steps of a pass, forwards and backwards. */
export function tracePass({ graph: network, steps, mode, epsilon }: PassRequest): TracedPass {
  const graph = graphNodes();
  const placeholders = new Map<string, Value>();
  const known = () => new Map<string, Value>();
  const weights = { weights: known(), forward: known(), backward: known() };
  const folded = new Map<Value, Value>();
  const kept = new Map<Value, Value>();
  const outputs = new Map<NodeId, Value>();
  let part: Part = 'forward';

  const placeholder = (all: Map<string, Value>, key: string, shape: readonly number[]): Value => {
    if (!all.has(key)) all.set(key, graph.placeholder(shape));
    return all.get(key)!;
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
    ofWeights(compute, shape) {
      part = 'weights';
      const value = compute();
      part = 'forward';
      return placeholder(folded, value, shape);
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
  const [logits, dImages] = [outputs.get(last)!, gradients.get(0)!];
  return { nodes: graph.nodes, images, logits, dLogits, dImages, weights, folded, kept };
}
