import { batchNormEpsilon, type NodeId } from '@bulwark/core/network';
import { mostBatches, type CompileRequest } from './compiled-pass.js';
import type { RealType } from './attributes.js';
import { crossings } from './crossings.js';
import { joinSums, type JoinedStep } from './joined-sums.js';
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
  /** Of each BatchNorm of a pass with batch statistics, found by the forward part. */
  readonly statistics: readonly NonNullable<TracedLayer['statistics']>[];
}

/** A pass of a network and its gradient in the images, as one TensorFlow graph that is run in three parts. */
export interface TracedPass {
  readonly nodes: readonly GraphNode[];
  readonly batches: readonly TracedBatch[];
  /** The variables that each part is given, by name. */
  readonly weights: Readonly<Record<Part, ReadonlyMap<string, Value>>>;
  /** What the weights part finds, and as what the forward part is given it. */
  readonly folded: ReadonlyMap<Value, Value>;
  /**
   * Of a pass in float32 with batch statistics: gradients in all parameters by name, summed over the first batch, over the first two, and
   * so on, found by the backward part.
   */
  readonly parameters: ReadonlyMap<string, readonly Value[]>;
}

function placeholders(graph: GraphNodes) {
  const all = new Map<string, Value>();
  return {
    all,
    at(key: string, shape: readonly number[], type?: RealType): Value {
      if (!all.has(key)) all.set(key, graph.placeholder(shape, type));
      return all.get(key)!;
    },
  };
}

/**
 * Traces the steps of a pass, forwards and backwards. Batches share nodes only where these are of weights alone. In a pass in bfloat16
 * images are brought into range and features become logits in float32.
 */
export function tracePass({ graph: network, steps: planned, mode, dtype, own }: CompileRequest): TracedPass {
  const steps = joinSums(planned, { relu: mode === 'eval' });
  const typeOf = ({ node, id }: JoinedStep): RealType => {
    const large = network.shapes[id]!.length === 3 && node.op !== 'input' && node.op !== 'normalize';
    return dtype === 'bfloat16' && large ? 'bfloat16' : 'float';
  };
  const types = new Map(steps.map((step) => [step.id, typeOf(step)]));
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
    epsilon: batchNormEpsilon,
    own,
    weight(name: string, shape: readonly number[]) {
      const value = variables.at(name, shape);
      weights[part].set(name, value);
      return value;
    },
  };
  const ofWeights =
    (type: RealType): Tracing['ofWeights'] =>
    (name, compute, shape) => {
      part = 'weights';
      const value = graph.once(name, () => graph.cast(compute(), { from: 'float', to: type }));
      part = 'forward';
      return folded.at(value, shape, type);
    };

  const differentiated = mode === 'batch' && dtype === 'float32';
  const parameters = new Map<string, Value[]>();
  const addGradient = (name: string, gradient: Value): void => {
    const sums = parameters.get(name) ?? [];
    const last = sums.at(-1);
    parameters.set(name, [...sums, last === undefined ? gradient : graph.float('AddV2', last, gradient)]);
  };

  const trace = (): TracedBatch => {
    const outputs = new Map<NodeId, Value>();
    const kept = crossings(graph);
    const tracingOf = (type: RealType): Tracing => ({
      ...shared,
      type,
      at: (id) => graph.cast(outputs.get(id)!, { from: types.get(id)!, to: type }),
      ofWeights: ofWeights(type),
      kept: (value, shape, own = type) => kept.at(value, shape, own),
    });
    part = 'forward';
    const images = graph.placeholder([-1, ...network.inputShape]);
    const layers = steps.map((step): { step: JoinedStep; layer: TracedLayer } => {
      const layer = tracedLayer(tracingOf(types.get(step.id)!), images, step);
      outputs.set(step.id, layer.output);
      return { step, layer };
    });

    const statistics = layers.flatMap(({ layer }) => layer.statistics ?? []);

    part = 'backward';
    const last = steps.at(-1)!.id;
    const dLogits = graph.placeholder([-1, ...network.shapes[last]!]);
    const gradients = new Map<NodeId, Value>([[last, dLogits]]);
    for (const { step, layer } of layers.reverse()) {
      const dy = gradients.get(step.id);
      if (dy === undefined) continue;
      for (const [id, dx] of layer.gradient(dy)) {
        const type = types.get(id)!;
        const given = graph.cast(dx, { from: types.get(step.id)!, to: type });
        const other = gradients.get(id);
        gradients.set(id, other === undefined ? given : graph.typed(type, 'AddV2', other, given));
      }
      if (differentiated) for (const [name, gradient] of layer.parameters?.(dy) ?? []) addGradient(name, gradient);
    }
    return { images, logits: outputs.get(last)!, dLogits, dImages: gradients.get(0)!, kept: kept.all, statistics };
  };
  const traced = Array.from({ length: mostBatches }, trace);
  return { nodes: graph.nodes, batches: traced, weights, folded: folded.all, parameters };
}
