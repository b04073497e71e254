import { countOf, subset, takeExamples, disposeBatch, type Batch, type ImageSet } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import { answersOf, breaks, judge, type Cheat } from '../evaluation/index.js';
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
  /** Hears of an attack that breaks the rules. */
  readonly warn?: (message: string) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

/** Whether each image is classified as its label says. */
const correctly = async (model: Classifier, { images, labels }: Batch): Promise<boolean[]> => {
  const [{ classes }, wanted] = await Promise.all([answersOf(model, images), labels.data()]);
  return Array.from(classes, (found, i) => found === wanted[i]);
};

/**
 * Clean accuracy and accuracy under each attack, in [0, 1], by the evaluator's rules: an image counts that is right when clean and that the
 * attack does not break; candidates that leave the ball or the pixel range break nothing. The same images and the same noise every epoch, so
 * that epochs can be compared.
 * @throws the signal's reason, if it is aborted; BulwarkError ATTACK_INVALID
 */
export async function validate(validation: Validation): Promise<Record<string, number>> {
  const { model, set, attacks, threat, batchSize, seed, progress, signal } = validation;
  const count = countOf(set);
  const hits: Record<string, number> = { clean: 0, ...Object.fromEntries(attacks.map(({ label }) => [label, 0])) };
  const randoms = new Map(attacks.map(({ label }) => [label, createRandom(seed, `validation/${label}`)]));
  const cheats = new Map<string, Map<Cheat, number>>();
  for (let from = 0; from < count; from += batchSize) {
    signal?.throwIfAborted();
    const indices = Array.from({ length: Math.min(batchSize, count - from) }, (_, i) => from + i);
    const batch = takeExamples(set, indices);
    const right = await correctly(model, batch);
    hits['clean']! += right.filter(Boolean).length;
    for (const attack of attacks) {
      const random = randoms.get(attack.label)!;
      const { candidates, verdicts } = await judge(attack, batch, { model, threat, random });
      candidates.dispose();
      hits[attack.label]! += verdicts.filter((verdict, k) => right[k] && !breaks(verdict)).length;
      const found = cheats.get(attack.label) ?? new Map<Cheat, number>();
      for (const { cheat } of verdicts) if (cheat) found.set(cheat, (found.get(cheat) ?? 0) + 1);
      cheats.set(attack.label, found);
      progress?.({ label: attack.label, share: (from + indices.length) / count });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    disposeBatch(batch);
  }
  for (const [label, found] of cheats)
    if (found.size > 0)
      validation.warn?.(
        `attack ${label} broke the rules, its candidates do not count: ${[...found].map(([cheat, n]) => `${n} of ${count} ${cheat}`).join(', ')}`,
      );
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
