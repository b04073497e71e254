import * as tf from '../tensor/index.js';
import { countOf, type Batch, type ImageSet } from '../batch.js';
import { logitsOf, type Classifier } from '../classifier/index.js';
import type { Norm } from '../threat/index.js';
import { overBatches, type OverImages } from './batches.js';
import { lossAt, neighbour } from './neighbours.js';

/** Mean cross-entropy (nats) and accuracy over a set of images. */
export interface LossAndAccuracy {
  readonly crossEntropy: number;
  readonly accuracy: number;
}

/** What collaborative examples come to at one radius; radius 0 is the images themselves. */
export interface CollaborativeLoss extends LossAndAccuracy {
  readonly epsilon: number;
}

/** How collaborative examples are sought. */
export interface CollaborativeOptions extends OverImages {
  readonly model: Classifier;
  readonly norm: Norm;
  readonly epsilons: readonly number[];
  /** The paper: 100 steps of 1/255. */
  readonly steps: number;
  readonly stepSize: number;
}

const measures = (model: Classifier, points: tf.Tensor4D, { labels }: Batch): tf.Tensor1D =>
  tf.tidy(() => {
    const correct = tf.equal(tf.argMax(logitsOf(model, points), 1), labels);
    return tf.stack([tf.sum(lossAt(model, points, labels)), tf.sum(tf.cast(correct, 'float32'))]) as tf.Tensor1D;
  });

/**
 * Average cross-entropy of images and of their collaborative examples by radius (Li et al., 2023, Figure 1; arXiv:2205.11156).
 * @returns radius 0 (the images), then the given ones in their order
 */
export async function collaborativeLosses(set: ImageSet, options: CollaborativeOptions): Promise<CollaborativeLoss[]> {
  const { model, norm, steps, stepSize, progress } = options;
  const epsilons = [0, ...options.epsilons];
  const results: CollaborativeLoss[] = [];
  for (const [i, epsilon] of epsilons.entries()) {
    const sums = { loss: 0, correct: 0 };
    const share = (of: number) => progress?.((i + of) / epsilons.length);
    await overBatches(set, { ...options, progress: share }, async (batch) => {
      const search = { model, threat: { norm, epsilon }, steps: epsilon === 0 ? 0 : steps, stepSize };
      const point = neighbour(batch, 'collaborative', search);
      const measured = measures(model, point, batch);
      const [loss, correct] = await measured.data();
      tf.dispose([point, measured]);
      sums.loss += loss!;
      sums.correct += correct!;
    });
    const count = countOf(set);
    results.push({ epsilon, crossEntropy: sums.loss / count, accuracy: sums.correct / count });
  }
  return results;
}
