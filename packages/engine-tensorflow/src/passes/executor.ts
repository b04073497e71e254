import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from '@bulwark/core';
import type { BatchStatistics, Executor, Pass, PassRequest, PulledBack } from '@bulwark/core/network';
import type { PrepareRequest } from '@bulwark/core/engine';
import type { NodeBackend } from '../binding.js';
import type { OwnConvolution } from '../own-convolution.js';
import { compiledPasses } from './compiled.js';
import { mostBatches, type CompiledForward, type CompiledPass, type FoundStatistics } from './compiled-pass.js';

/**
 * From here on a batch in `eval` mode, whose examples do not depend on each other, passes as two that go side by side, where the library's own ops
 * leave threads idle.
 */
const worthSplitting = 16;

const isZero = (tensor: tf.Tensor): boolean => tensor.dataSync().every((number) => number === 0);

const statisticsOf = (found: readonly FoundStatistics[], count: (layer: string) => number): BatchStatistics =>
  new Map(found.map(({ layer, mean, variance }) => [layer, { mean, variance, count: count(layer), bessel: 1 }]));

/** A pass over a compiled one. */
function compiledPass(
  compiled: CompiledPass,
  found: CompiledForward,
  options: {
    readonly images: readonly tf.Tensor4D[];
    readonly request: PassRequest;
    readonly statistics: readonly BatchStatistics[];
  },
): Pass {
  const { images, request, statistics } = options;
  const shapes = images.map(({ shape }) => shape);
  const wrtImages = request.wrt === 'images' || request.wrt === 'all';
  let residuals: tf.Tensor[][] | undefined = request.wrt === 'nothing' ? undefined : found.residuals;
  // variables are among the residuals, and stay
  const drop = () => {
    residuals?.flat().forEach((tensor) => tensor instanceof tf.Variable || tensor.dispose());
    residuals = undefined;
  };
  const gradients = (given: readonly (readonly [number, tf.Tensor2D])[]): PulledBack => {
    const dLogits = given.map(([, each]) => each);
    const kept = given.map(([at]) => residuals![at]!);
    if (request.wrt === 'images') return { images: compiled.inputGradients(dLogits, kept), parameters: new Map() };
    return compiled.parameterGradients!(dLogits, kept, { images: wrtImages });
  };
  return {
    logits: found.logits,
    statistics,
    pullback(dLogits, { keep = false } = {}) {
      if (!residuals)
        throw new BulwarkError('PASS_INVALID', 'this pass keeps nothing for a gradient, or no longer', {
          hint: 'ask for it in `wrt`, and `keep` in all pullbacks but the last',
        });
      // a pass that is kept may be asked although nothing depends on it
      const given = dLogits.flatMap((each, at) => (each && !(keep && isZero(each)) ? [[at, each] as const] : []));
      const back = given.length > 0 ? gradients(given) : { images: [], parameters: new Map() };
      const byBatch = new Map(given.map(([at], i) => [at, back.images[i]]));
      if (!keep) drop();
      return {
        images: wrtImages ? shapes.map((shape, at) => byBatch.get(at) ?? tf.zeros(shape)) : [],
        parameters: back.parameters,
      };
    },
    dispose() {
      drop();
      tf.dispose(found.logits);
      found.statistics.flat().forEach(({ mean, variance }) => tf.dispose([mean, variance]));
    },
  };
}

const halves = <T extends tf.Tensor>(whole: T): T[] => {
  const first = Math.ceil(whole.shape[0]! / 2);
  return tf.split(whole, [first, whole.shape[0]! - first]);
};

/** What was found for two halves, as one again. */
const joined = <T extends tf.Tensor>(parts: readonly T[]): T => {
  const whole = tf.concat([...parts]);
  tf.dispose([...parts]);
  return whole as T;
};

/** A pass of one batch as one of its halves. */
function splitBatch(images: tf.Tensor4D, passOf: (images: readonly tf.Tensor4D[]) => Pass): Pass {
  const parts = halves(images);
  const pass = passOf(parts);
  tf.dispose(parts);
  const logits = tf.concat([...pass.logits]) as tf.Tensor2D;
  return {
    logits: [logits],
    statistics: [],
    pullback([dLogits], options) {
      const given = dLogits ? halves(dLogits) : [null, null];
      const { images: found, parameters } = pass.pullback(given, options);
      tf.dispose(given.filter((each) => each !== null));
      return { images: found.length > 0 ? [joined(found)] : [], parameters };
    },
    dispose() {
      pass.dispose();
      logits.dispose();
    },
  };
}

/** Several passes as one. */
function sideBySide(passes: readonly Pass[]): Pass {
  return {
    logits: passes.flatMap(({ logits }) => logits),
    statistics: passes.flatMap(({ statistics }) => statistics),
    pullback(dLogits, options) {
      let from = 0;
      const found = passes.map((pass) => pass.pullback(dLogits.slice(from, (from += pass.logits.length)), options));
      const parameters = new Map<string, tf.Tensor>();
      for (const each of found)
        for (const [name, gradient] of each.parameters) {
          const before = parameters.get(name);
          parameters.set(name, before ? tf.add(before, gradient) : gradient);
          if (before) tf.dispose([before, gradient]);
        }
      return { images: found.flatMap(({ images }) => images), parameters };
    },
    dispose: () => passes.forEach((pass) => pass.dispose()),
  };
}

/**
 * Runs passes as TensorFlow graphs: those of attacks and evaluations, and those of two or more batches that weights learn from. A single
 * batch that weights learn from goes op by op: that frees activations on the way back, peaks at less memory, and takes as long.
 */
export function tensorflowExecutor(
  { graph, store, eager }: PrepareRequest,
  options: { backend: NodeBackend; fusedBatchNorm: boolean; own: OwnConvolution | undefined },
): Executor {
  const { value } = store;
  const compiled = compiledPasses({ graph, value, ...options });
  const imageSize = new Map(
    graph.nodes.flatMap((node, id) =>
      node.op === 'batch-norm'
        ? [[node.name, tf.util.sizeFromShape(graph.shapes[id]!.slice(0, -1) as number[])] as const]
        : [],
    ),
  );
  const fits = (images: tf.Tensor4D) =>
    images.dtype === 'float32' && images.shape.slice(1).join() === graph.inputShape.join();

  const run = (pass: CompiledPass, images: readonly tf.Tensor4D[], request: PassRequest): Pass => {
    const found = pass.forward(images, value, { keep: request.wrt !== 'nothing' });
    const statistics =
      request.mode === 'batch'
        ? found.statistics.map((each, at) =>
            statisticsOf(each, (layer) => images[at]!.shape[0] * imageSize.get(layer)!),
          )
        : [];
    return compiledPass(pass, found, { images, request, statistics });
  };

  const whole = (images: readonly tf.Tensor4D[], request: PassRequest): Pass | undefined => {
    const { mode, wrt, computeDtype = 'float32' } = request;
    if (wrt === 'parameters' || wrt === 'all') {
      const pass = mode === 'batch' && images.length > 1 ? compiled.of('batch', 'float32') : undefined;
      // weights change when they have learnt from this pass, so what others keep of them is of no use any more
      compiled.release(pass);
      if (!pass?.parameterGradients) return undefined;
      return run(pass, images, request);
    }
    const pass = compiled.of(mode, computeDtype) ?? compiled.of(mode, 'float32');
    if (!pass) return undefined;
    if (mode === 'eval' && images.length === 1 && images[0]!.shape[0] >= worthSplitting && !pass.threaded)
      return splitBatch(images[0]!, (parts) => run(pass, parts, request));
    return run(pass, images, request);
  };

  return {
    get dtypes() {
      return compiled.of('eval', 'bfloat16') ? (['float32', 'bfloat16'] as const) : (['float32'] as const);
    },
    pass(images, request) {
      if (images.length > mostBatches) {
        const rest = images.slice(mostBatches);
        return sideBySide([this.pass(images.slice(0, mostBatches), request), this.pass(rest, request)]);
      }
      return (images.every(fits) ? whole(images, request) : undefined) ?? eager.pass(images, request);
    },
    opByOpBecause() {
      compiled.of('eval', 'float32');
      compiled.of('batch', 'float32');
      return compiled.failure();
    },
    dispose: () => compiled.dispose(),
  };
}
