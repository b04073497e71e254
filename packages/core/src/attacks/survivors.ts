import * as tf from '../tensor/index.js';
import { logitsOf } from '../classifier/index.js';
import type { AttackContext } from '../hooks/index.js';
import { gatherExamples, take } from './gradient.js';

/**
 * The examples of a batch that an attack still works on: those classified correctly, until a candidate for them is found. Examples
 * that were wrong from the start, and those nobody broke, come back as they were.
 */
export class SurvivorPool {
  /** Positions in the batch, ascending. */
  survivors: number[];

  private constructor(
    private readonly target: { images: tf.Tensor4D; labels: tf.Tensor1D },
    /** Logits of the images, `[batch, classes]`; the pool owns it. */
    readonly cleanLogits: tf.Tensor2D,
    correct: Float32Array,
  ) {
    this.survivors = [...correct.keys()].filter((i) => correct[i]);
  }

  private readonly found: { position: number; image: tf.Tensor4D }[] = [];

  /** Asks the model which images it classifies correctly, unless the caller knows its clean logits. */
  static async of(
    target: { images: tf.Tensor4D; labels: tf.Tensor1D },
    { model, clean }: Pick<AttackContext, 'model' | 'clean'>,
  ): Promise<SurvivorPool> {
    const known = clean?.model === model && clean.images === target.images ? clean.logits : undefined;
    const logits = known ? known.clone() : logitsOf(model, target.images);
    const correct = await take(tf.tidy(() => tf.cast(tf.equal(tf.argMax(logits, 1), target.labels), 'float32')));
    return new SurvivorPool(target, logits, correct);
  }

  /** The survivors as tensors, which the caller disposes. */
  batch(): { images: tf.Tensor4D; labels: tf.Tensor1D; indices: readonly number[] } {
    const indices = this.survivors;
    const { images, labels } = this.target;
    return { images: gatherExamples(images, indices), labels: gatherExamples(labels, indices), indices };
  }

  /** The class with the (rank + 1)-th largest clean logit of each of these examples, `[indices.length]` int32, which the caller disposes. */
  classAtRank(indices: readonly number[], rank: number): tf.Tensor1D {
    return tf.tidy(() => {
      const ranked = tf.topk(gatherExamples(this.cleanLogits, indices), rank + 1).indices;
      return tf.unstack(ranked, 1)[rank] as tf.Tensor1D;
    });
  }

  /** Takes over the candidates `[indices.length, h, w, c]` of those that are not robust any more. */
  settle(indices: readonly number[], robust: ArrayLike<number>, candidates: tf.Tensor4D): void {
    indices.forEach((position, k) => {
      if (robust[k]) return;
      this.found.push({ position, image: gatherExamples(candidates, [k]) });
    });
    this.survivors = indices.filter((_, k) => robust[k]);
  }

  /** The batch with every candidate in its place; ends the pool. */
  finish(): tf.Tensor4D {
    const { images } = this.target;
    const result = tf.tidy(() => {
      if (this.found.length === 0) return tf.clone(images);
      const kept = images.shape[0];
      const source = tf.concat([images, ...this.found.map(({ image }) => image)]);
      const order = Array.from({ length: kept }, (_, i) => i);
      this.found.forEach(({ position }, k) => (order[position] = kept + k));
      return gatherExamples(source, order);
    });
    tf.dispose([this.cleanLogits, ...this.found.map(({ image }) => image)]);
    return result;
  }
}
