import * as tf from '../tensor/index.js';
import type { BatchRanks, ComputeDtype, Pass } from '../network/index.js';
import type { Classifier } from './classifier.js';
import { record } from './tape.js';

/** The same classifier, whose passes compute in another dtype where the engine can. */
export const withComputeDtype = (model: Classifier, computeDtype: ComputeDtype): Classifier => ({
  ...model,
  pass: (images, request) => model.pass(images, { ...request, computeDtype }),
});

/** The same classifier, whose BatchNorms normalise with batches that these ranks share; undefined: with those of this process alone. */
export const withBatchRanks = (model: Classifier, ranks: BatchRanks | undefined): Classifier =>
  ranks ? { ...model, pass: (images, request) => model.pass(images, { ...request, ranks }) } : model;

/** The same classifier, whose running statistics move by another share of each batch; undefined: by its own. */
export const withStatisticsMomentum = (model: Classifier, momentum: number | undefined): Classifier =>
  momentum === undefined
    ? model
    : { ...model, applyStatistics: (statistics) => model.applyStatistics(statistics, momentum) };

/** How many batches went through a classifier, and back. */
export interface PassCounts {
  forward: number;
  /** Backward passes, to points or to parameters. */
  backward: number;
}

/** A classifier that counts its passes, batch by batch; otherwise the same. */
export function countingClassifier(model: Classifier): { model: Classifier; counts: PassCounts } {
  const counts: PassCounts = { forward: 0, backward: 0 };
  const counted = (pass: Pass): Pass => ({
    ...pass,
    pullback(dLogits, options) {
      counts.backward += dLogits.filter((given) => given !== null).length;
      return pass.pullback(dLogits, options);
    },
  });
  return {
    counts,
    model: {
      ...model,
      pass(images, request) {
        counts.forward += images.length;
        return counted(model.pass(images, request));
      },
    },
  };
}

/** Functions that a classifier is put between; TensorFlow.js's tape differentiates them. */
export interface Surroundings {
  /** Of images `[batch, h, w, c]`, which the classifier is given in their place. */
  readonly before?: (images: tf.Tensor4D) => tf.Tensor4D;
  /** Of logits `[batch, classes]`, which are found in their place. */
  readonly after?: (logits: tf.Tensor2D) => tf.Tensor2D;
}

/**
 * A classifier between two functions: a defence that changes images first, a temperature, fewer classes.
 * @example
 * ```ts
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
 * const model = createNetwork(graph, { name: 'linear', random: createRandom(1) });
 * const images = tf.ones<tf.Rank.R4>([1, 2, 2, 1]);
 * const halved = surrounded(model, { after: (logits) => tf.div(logits, 2) });
 * tf.sub(logitsOf(model, images), tf.mul(2, logitsOf(halved, images))); // => [[0, 0, 0]]
 * ```
 * @category Networks and passes
 */
export function surrounded(model: Classifier, { before, after }: Surroundings, classes = model.classes): Classifier {
  const identity = (x: tf.Tensor) => x.clone();
  const first = (before ?? identity) as (x: tf.Tensor) => tf.Tensor;
  const last = (after ?? identity) as (x: tf.Tensor) => tf.Tensor;
  return {
    ...model,
    classes,
    preprocessed: before && { by: before, behind: after ? surrounded(model, { after }, classes) : model },
    taped: (images, mode) => last(model.taped(first(images) as tf.Tensor4D, mode)) as tf.Tensor2D,
    pass(images, request) {
      const given = images.map((each) => each.clone());
      const changed = given.map((each) => record(() => tf.tidy(() => first(each))));
      const pass = model.pass(
        changed.map(({ y }) => y as tf.Tensor4D),
        request,
      );
      const found = pass.logits.map((logits) => record(() => tf.tidy(() => last(logits))));
      return {
        logits: found.map(({ y }) => y as tf.Tensor2D),
        statistics: pass.statistics,
        ...(pass.features && { features: pass.features }),
        pullback(dLogits, options = {}) {
          const { keep = false } = options;
          const through = found.map((each, at) => {
            const given = dLogits[at];
            return given ? (each.pullback(given, [pass.logits[at]!], { keep })[0] as tf.Tensor2D | undefined) : null;
          });
          const back = pass.pullback(
            through.map((each) => each ?? null),
            options,
          );
          through.forEach((each) => each?.dispose());
          const dImages = back.images.map((dy, at) => {
            const [dx] = changed[at]!.pullback(dy, [given[at]!], { keep });
            dy.dispose();
            return (dx ?? tf.zeros(given[at]!.shape)) as tf.Tensor4D;
          });
          return { images: dImages, parameters: back.parameters };
        },
        dispose() {
          pass.dispose();
          for (const each of [...changed, ...found]) {
            each.dispose();
            each.y.dispose();
          }
          tf.dispose(given);
        },
      };
    },
  };
}

/**
 * The same answers, with gradients that pass the preprocessing as if it changed nothing: backward pass differentiable approximation
 * (Athalye et al., 2018, section 4.1; arXiv:1802.00420). For attacks on models whose preprocessing lets no useful gradient through.
 * @returns undefined where a model has none
 */
export function straightThrough(model: Classifier): Classifier | undefined {
  const { preprocessed } = model;
  if (!preprocessed) return undefined;
  const { by, behind } = preprocessed;
  // several in a row are passed one by one
  const inner = straightThrough(behind) ?? behind;
  return {
    ...model,
    pass(images, request) {
      const changed = images.map((each) => tf.tidy(() => by(each).clone()));
      const pass = inner.pass(changed, request);
      return {
        ...pass,
        dispose() {
          pass.dispose();
          tf.dispose(changed);
        },
      };
    },
  };
}
