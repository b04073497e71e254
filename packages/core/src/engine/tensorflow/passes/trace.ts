import type { NodeId } from '../../../classifier/graph.js';
import type { Step } from '../../../classifier/plan.js';
import type { PassRequest } from '../../passes.js';
import type { TracedLayer, Tracing } from './layer.js';
import { tracedLayer } from './layers.js';
import { graphNodes, type GraphNode, type GraphNodes, type Value } from './nodes.js';

/** What is run together: what variables alone decide, the pass, its gradient. */
type Part = 'weights' | 'forward' | 'backward';

/** What one batch is given and finds. */
export interface TracedBatch {
  /** `[batch, h, w, c]`, given to the forward part. */
  readonly images: Value;
  /** `[batch, classes]`, found by the forward part. */
  readonly logits: Value;
  /** `[batch, classes]`, given to the backward part. */
  readonly dLogits: Value;
  /** `[batch, h, w, c]`, found by the backward part. */
  readonly dImages: Value;
  /** What the forward part finds, and as what the backward part is given it. */
  readonly kept: ReadonlyMap<Value, Value>;
}

/** A pass of a network and its gradient in the images, as one TensorFlow graph that is run in three parts. */
export interface TracedPass {
  readonly nodes: readonly GraphNode[];
  readonly batches: readonly TracedBatch[];
  /** The variables that each part is given, by name. */
  readonly weights: Readonly<Record<Part, ReadonlyMap<string, Value>>>;
  /** What the weights part finds, and as what the forward part is given it. */
  readonly folded: ReadonlyMap<Value, Value>;
}

function placeholders(graph: GraphNodes) {
  const all = new Map<string, Value>();
  return {
    all,
    at(key: string, shape: readonly number[]): Value {
      if (!all.has(key)) all.set(key, graph.placeholder(shape));
      return all.get(key)!;
    },
  };
}

/** Traces the steps of a pass, forwards and backwards. Batches share nodes only where these are of weights alone. */
export function tracePass({ graph: network, steps, mode, epsilon, batches }: PassRequest): TracedPass {
  const graph = graphNodes();
  const variables = placeholders(graph);
  const known = () => new Map<string, Value>();
  const weights = { weights: known(), forward: known(), backward: known() };
  const folded = placeholders(graph);
  let part: Part = 'forward';

  const shared = {
    network,
    graph,
    batchStatistics: mode === 'batch',
    epsilon,
    weight(name: string, shape: readonly number[]) {
      const value = variables.at(name, shape);
      weights[part].set(name, value);
      return value;
    },
    ofWeights(name: string, compute: () => Value, shape: readonly number[]) {
      part = 'weights';
      const value = graph.once(name, compute);
      part = 'forward';
      return folded.at(value, shape);
    },
  };

  const trace = (): TracedBatch => {
    const outputs = new Map<NodeId, Value>();
    const kept = placeholders(graph);
    const tracing: Tracing = { ...shared, at: (id) => outputs.get(id)!, kept: kept.at };
    part = 'forward';
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
    return { images, logits: outputs.get(last)!, dLogits, dImages: gradients.get(0)!, kept: kept.all };
  };
  const traced = Array.from({ length: batches }, trace);
  return { nodes: graph.nodes, batches: traced, weights, folded: folded.all };
}
