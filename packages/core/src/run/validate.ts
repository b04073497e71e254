import * as tf from '@tensorflow/tfjs-core';
import { countOf, subset, takeExamples, disposeBatch, type ImageSet } from '../batch.js';
import { logitsOf, type Classifier } from '../classifier/index.js';
import type { Attack } from '../hooks/index.js';
import { createRandom } from '../random.js';
import type { ThreatModel } from '../threat/index.js';

/** What the validation of one epoch works on. */
export interface Validation {
  readonly model: Classifier;
  readonly set: ImageSet;
  readonly attacks: readonly Attack[];
  readonly threat: ThreatModel;
  readonly batchSize: number;
  readonly seed: number;
  /** Called between batches. */
  readonly progress?: (event: { label: string; share: number }) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

const correct = (model: Classifier, images: tf.Tensor4D, labels: tf.Tensor1D): number =>
  tf.tidy(() => tf.sum(tf.cast(tf.equal(tf.argMax(logitsOf(model, images), 1), labels), 'int32')).dataSync()[0]!);

/**
 * Clean accuracy and accuracy under each attack, in [0, 1], by label. The same images and the same noise every epoch, so that epochs
 * can be compared.
 * @throws the signal's reason, if it is aborted
 */
export async function validate(validation: Validation): Promise<Record<string, number>> {
  const { model, set, attacks, threat, batchSize, seed, progress, signal } = validation;
  const count = countOf(set);
  const hits: Record<string, number> = { clean: 0, ...Object.fromEntries(attacks.map(({ label }) => [label, 0])) };
  const randoms = new Map(attacks.map(({ label }) => [label, createRandom(seed, `validation/${label}`)]));
  for (let from = 0; from < count; from += batchSize) {
    signal?.throwIfAborted();
    const indices = Array.from({ length: Math.min(batchSize, count - from) }, (_, i) => from + i);
    const batch = takeExamples(set, indices);
    hits['clean']! += correct(model, batch.images, batch.labels);
    for (const attack of attacks) {
      const candidates = await attack.run(batch.images, batch.labels, {
        model,
        threat,
        random: randoms.get(attack.label)!,
      });
      hits[attack.label]! += correct(model, candidates, batch.labels);
      candidates.dispose();
      progress?.({ label: attack.label, share: (from + indices.length) / count });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    disposeBatch(batch);
  }
  return Object.fromEntries(Object.entries(hits).map(([label, n]) => [label, n / count]));
}

/** The first `limit` examples of a set. */
export const firstExamples = (set: ImageSet, limit: number | undefined): ImageSet =>
  limit === undefined || limit >= countOf(set)
    ? set
    : subset(
        set,
        Array.from({ length: limit }, (_, i) => i),
      );
