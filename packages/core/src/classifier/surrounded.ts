import * as tf from '../tensor/index.js';
import type { Pass } from '../network/index.js';
import { guarded } from './checks.js';
import type { Classifier } from './classifier.js';
import { classifierWith, passWith } from './members.js';
import { record, type Recording } from './tape.js';

/** Functions that a classifier is put between; TensorFlow.js's tape differentiates them. */
export interface Surroundings {
  /** Of images `[batch, h, w, c]`, which the classifier is given in their place. */
  readonly before?: (images: tf.Tensor4D) => tf.Tensor4D;
  /** Of logits `[batch, classes]`, which are found in their place. */
  readonly after?: (logits: tf.Tensor2D) => tf.Tensor2D;
}

/** What one of the functions made of a batch, and the way back if there is one. */
type Made = Pick<Recording, 'y'> & Partial<Recording>;

/** The result is a tensor of its own, also of a function that gives back what it was given, or something that it holds. */
function make(compute: () => tf.Tensor, differentiated: boolean): Made {
  const own = () => tf.tidy(() => compute().clone());
  return differentiated ? record(own) : { y: own() };
}

/** What is done to images before the network sees them stays known, whatever is done to its logits. */
function preprocessedOf(model: Classifier, { before, after }: Surroundings, classes: number) {
  const behind = (of: Classifier) => (after ? surrounded(of, { after }, classes) : of);
  if (before) return { by: before, behind: behind(model) };
  return model.preprocessed && { by: model.preprocessed.by, behind: behind(model.preprocessed.behind) };
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
  const identity = (x: tf.Tensor) => x;
  const first = (before ?? identity) as (x: tf.Tensor) => tf.Tensor;
  const last = (after ?? identity) as (x: tf.Tensor) => tf.Tensor;
  return classifierWith(model, {
    classes,
    surrounded: true,
    preprocessed: preprocessedOf(model, { before, after }, classes),
    taped: (images, mode) => last(model.taped(first(images) as tf.Tensor4D, mode)) as tf.Tensor2D,
    pass(images, request) {
      const { wrt } = request;
      const wrtImages = wrt === 'images' || wrt === 'all';
      const given: tf.Tensor4D[] = [];
      const changed: Made[] = [];
      const found: Made[] = [];
      let pass: Pass | undefined;
      const dispose = () => {
        pass?.dispose();
        for (const each of [...changed, ...found]) {
          each.dispose?.();
          each.y.dispose();
        }
        tf.dispose(given);
      };
      try {
        for (const batch of images) {
          const own = batch.clone();
          given.push(own);
          changed.push(make(() => first(own), wrtImages));
        }
        pass = model.pass(
          changed.map(({ y }) => y as tf.Tensor4D),
          request,
        );
        for (const logits of pass.logits) found.push(make(() => last(logits), wrt !== 'nothing'));
      } catch (error) {
        dispose();
        throw error;
      }
      const inner = pass;
      const made = passWith(inner, {
        logits: found.map(({ y }) => y as tf.Tensor2D),
        pullback(dLogits, options = {}) {
          const { keep = false } = options;
          const through = dLogits.map((dy, at) =>
            dy
              ? ((found[at]!.pullback!(dy, [inner.logits[at]!], { keep })[0] as tf.Tensor2D | undefined) ?? null)
              : null,
          );
          const back = inner.pullback(through, options);
          through.forEach((each) => each?.dispose());
          const dImages = back.images.map((dy, at) => {
            const [dx] = changed[at]!.pullback!(dy, [given[at]!], { keep });
            dy.dispose();
            return (dx ?? tf.zeros(given[at]!.shape)) as tf.Tensor4D;
          });
          return { images: dImages, parameters: back.parameters };
        },
        dispose,
      });
      return guarded(made, request);
    },
  });
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
  return classifierWith(model, {
    pass(images, request) {
      const changed: tf.Tensor4D[] = [];
      try {
        for (const batch of images) changed.push(tf.tidy(() => by(batch).clone()));
        const pass = inner.pass(changed, request);
        return passWith(pass, {
          dispose() {
            pass.dispose();
            tf.dispose(changed);
          },
        });
      } catch (error) {
        tf.dispose(changed);
        throw error;
      }
    },
  });
}
