import { add, tidy, zeros } from '../tensor/index.js';
import type { Tensor, Tensor2D, Tensor4D } from '../tensor/index.js';
import { BulwarkError } from '../errors.js';
import { foldedBackward, foldedForward, isFolded } from './folded-convolution.js';
import { foldedWeights } from './folded-weights.js';
import { featureNode, joinedGradients } from './features.js';
import { layerOf, type NetworkGraph } from './graph.js';
import { inputsOf, type Backward, type Forward, type NodeId, type Shape } from './layer.js';
import type { BatchStatistics, Executor, LayerStatistics, ParameterStore, Pass, PassRequest } from './pass.js';
import { planPass, type Step } from './plan.js';
import { references, type References } from './references.js';

/** What an executor that works op by op is made of. */
export interface EagerOptions {
  readonly graph: NetworkGraph;
  readonly store: ParameterStore;
  /**
   * Do tensors live where the program does? Then a pass that is kept looks whether anything depends on it at all before it goes
   * back; elsewhere the look would cost more than it saves.
   */
  readonly hostMemory: () => boolean;
  /** Are variables updated in place, so that other values of one may be under the same data? */
  readonly updatesInPlace: () => boolean;
}

/** One batch on its way through the network, with what it leaves for the way back. */
interface Trace {
  readonly images: Tensor4D;
  readonly logits: Tensor2D;
  readonly statistics: BatchStatistics;
  readonly residuals: Map<NodeId, readonly Tensor[]>;
  readonly features: ReadonlyMap<string, Tensor>;
  readonly held: References;
}

const wrtImages = ({ wrt }: PassRequest) => wrt === 'images' || wrt === 'all';
const wrtParameters = ({ wrt }: PassRequest) => wrt === 'parameters' || wrt === 'all';

/** Keeps tensors over the end of a `tidy`, in its caller's scope. */
const scoped = <T extends Forward | Backward>(compute: () => T): T => {
  let found!: T;
  tidy(() => {
    found = compute();
    return 'y' in found
      ? [
          found.y,
          ...(found.residuals ?? []),
          ...(found.statistics ? [found.statistics.mean, found.statistics.variance] : []),
        ]
      : [...((found as Backward).inputs ?? []), ...Object.values((found as Backward).parameters ?? {})];
  });
  return found;
};

const notKept = ({ wrt }: PassRequest) =>
  new BulwarkError(
    'PASS_INVALID',
    wrt === 'nothing'
      ? 'this pass was asked for no gradients (wrt: nothing)'
      : 'pullback was called twice, or after dispose',
    {
      hint: 'say in the request what gradients are wanted with respect to, and `keep: true` in all pullbacks but the last',
    },
  );

/** The nodes that gradients have to reach: those that depend on what they are asked with respect to. */
function reached(graph: NetworkGraph, request: PassRequest): readonly boolean[] {
  const reach: boolean[] = [];
  for (const node of graph.nodes) {
    const inputs = inputsOf(node);
    const own = node.op === 'input' ? wrtImages(request) : wrtParameters(request) && 'name' in node;
    reach.push(own || inputs.some((id) => reach[id]));
  }
  return reach;
}

/**
 * Runs passes of a graph op by op, both ways, on any backend of TensorFlow.js. Each activation and each gradient is freed at its last use.
 * In mode `eval`, where only images are differentiated, BatchNorms and ReLUs become part of the convolutions before them; the weights that
 * this takes are kept from pass to pass until variables or the backend change, or a pass with gradients of parameters begins.
 */
export function eagerExecutor({ graph, store, hostMemory, updatesInPlace }: EagerOptions): Executor {
  const plain = planPass(graph, { fold: false });
  const folded = planPass(graph, { fold: true });
  const plan = (request: PassRequest): readonly Step[] =>
    request.mode === 'eval' && !wrtParameters(request) && !request.features?.length ? folded : plain;
  const { value } = store;
  const weights = foldedWeights(updatesInPlace);

  const forward = (images: Tensor4D, request: PassRequest): Trace => {
    const context = { value, mode: request.mode, wrtParameters: wrtParameters(request), ranks: request.ranks };
    const held = references([images]);
    const outputs: Tensor[] = [];
    const statistics = new Map<string, LayerStatistics>();
    const residuals = new Map<NodeId, readonly Tensor[]>();
    const wanted = new Map((request.features ?? []).map((name) => [name, featureNode(graph, name)]));
    const features = new Map<string, Tensor>();
    for (const step of plan(request)) {
      const { node, id, done } = step;
      const inputs = node.op === 'input' ? [images] : inputsOf(node).map((from) => outputs[from]!);
      const found = scoped(() =>
        isFolded(step)
          ? foldedForward(step, inputs[0]!, context, weights)
          : layerOf(node).forward(node, inputs, context),
      );
      outputs[id] = found.y;
      held.hold(found.y);
      for (const [name, at] of wanted)
        if (at === id) {
          features.set(name, found.y);
          held.hold(found.y);
        }
      const kept = request.wrt === 'nothing' ? [] : (found.residuals ?? []);
      for (const tensor of found.residuals ?? []) held.hold(tensor);
      if (found.statistics) {
        statistics.set((node as { name: string }).name, found.statistics);
        held.hold(found.statistics.mean);
        held.hold(found.statistics.variance);
      }
      if (kept.length > 0) residuals.set(id, kept);
      else found.residuals?.forEach(held.release);
      for (const read of done) held.release(outputs[read]!);
    }
    return { images, logits: outputs.at(-1) as Tensor2D, statistics, residuals, features, held };
  };

  const shapesOf = (step: Step, batch: number): Shape[] =>
    inputsOf(step.node).map((id) => [batch, ...graph.shapes[id]!]);

  /** Goes back through one batch; gradients with respect to parameters are added to `parameters`. */
  const backward = (
    trace: Trace,
    given: ReadonlyMap<NodeId, Tensor>,
    { request, keep, parameters }: { request: PassRequest; keep: boolean; parameters: Map<string, Tensor> },
  ): Tensor4D | undefined => {
    const reach = reached(graph, request);
    const held = references([...given.values()]);
    const steps = plan(request);
    const gradients = new Map<NodeId, Tensor>(given);
    const give = (id: NodeId, dx: Tensor): void => {
      held.hold(dx);
      if (!reach[id]) return held.release(dx);
      const before = gradients.get(id);
      if (!before) return void gradients.set(id, dx);
      const sum = add(before, dx);
      held.release(before);
      held.release(dx);
      held.hold(sum);
      gradients.set(id, sum);
    };
    for (const step of [...steps].reverse()) {
      const { node, id } = step;
      const dy = gradients.get(id);
      const residuals = trace.residuals.get(id) ?? [];
      if (dy && node.op !== 'input' && reach[id]) {
        const inputs = inputsOf(node);
        const context = {
          value,
          mode: request.mode,
          ranks: request.ranks,
          residuals,
          shapes: shapesOf(step, trace.images.shape[0]),
          wrtInputs: inputs.some((from) => reach[from]),
          wrtParameters: wrtParameters(request),
        };
        const found = scoped(() =>
          isFolded(step) ? foldedBackward(step, dy, context) : layerOf(node).backward(node, dy, context),
        );
        inputs.forEach((from, at) => found.inputs?.[at] && give(from, found.inputs[at]!));
        for (const [name, gradient] of Object.entries(found.parameters ?? {})) {
          const before = parameters.get(name);
          parameters.set(name, before ? add(before, gradient) : gradient);
          if (before) [before, gradient].forEach((tensor) => tensor.dispose());
        }
        gradients.delete(id);
        held.release(dy);
      }
      if (!keep) {
        residuals.forEach(trace.held.release);
        trace.residuals.delete(id);
      }
    }
    return gradients.get(0) as Tensor4D | undefined;
  };

  const isZero = (dLogits: Tensor2D): boolean => hostMemory() && dLogits.dataSync().every((number) => number === 0);

  return {
    dtypes: ['float32'],
    pass(images, request) {
      // such a pass needs the most memory, and weights change after it
      if (wrtParameters(request)) weights.release();
      const traces = images.map((batch) => forward(batch, request));
      let kept = request.wrt !== 'nothing';
      let alive = true;
      const drop = () => {
        if (kept)
          for (const { residuals, held } of traces) for (const each of residuals.values()) each.forEach(held.release);
        kept = false;
      };
      return {
        logits: traces.map(({ logits }) => logits),
        statistics: request.mode === 'batch' ? traces.map(({ statistics }) => statistics) : [],
        ...(request.features?.length && { features: traces.map(({ features }) => features) }),
        pullback(dLogits, { keep = false, dFeatures } = {}) {
          if (!kept) throw notKept(request);
          const parameters = new Map<string, Tensor>();
          const found: Tensor4D[] = [];
          // the last batch first, as a tape would go
          for (let at = traces.length - 1; at >= 0; at--) {
            const own = dLogits[at];
            // the other ranks wait for this one's sums, even if they are 0
            const depends = own && (request.ranks || !(keep && isZero(own)));
            const { given, free } = joinedGradients(graph, depends ? own : undefined, dFeatures?.[at]);
            const dImages = given.size > 0 ? backward(traces[at]!, given, { request, keep, parameters }) : undefined;
            free();
            if (wrtImages(request)) found.unshift(dImages ?? zeros(traces[at]!.images.shape));
          }
          if (!keep) drop();
          return { images: found, parameters };
        },
        dispose() {
          drop();
          if (alive)
            for (const { logits, statistics, features, held } of traces) {
              held.release(logits);
              features.forEach(held.release);
              for (const { mean, variance } of statistics.values()) [mean, variance].forEach(held.release);
            }
          alive = false;
        },
      } satisfies Pass;
    },
    dispose: weights.release,
  };
}
