import { anyRank, type Collective } from '../collective/index.js';
import { BulwarkError } from '../errors.js';
import { letOthersRun } from '../event-loop.js';
import { countOf, subset, takeExamples, disposeBatch, type Batch, type ImageSet } from '../batch.js';
import { logitsOf, type Classifier } from '../classifier/index.js';
import { breaks, violations as violationKinds, judge } from '../evaluation/index.js';
import type { Attack, ClassAccuracies } from '../hooks/index.js';
import { createRandom, randomOfPart } from '../random.js';
import * as tf from '../tensor/index.js';
import type { ThreatModel } from '../threat/index.js';
import { partCuts } from '../trainer/index.js';

/** What the validation of one epoch works on. */
export interface Validation {
  readonly model: Classifier;
  readonly set: ImageSet;
  readonly attacks: readonly Attack[];
  readonly threat: ThreatModel;
  /** Threat models besides, with attacks made for them: measured as `<label>@<norm>`, and `union`, who withstands everything. */
  readonly further?: readonly { readonly threat: ThreatModel; readonly attacks: readonly Attack[] }[];
  readonly batchSize: number;
  readonly seed: number;
  /** Called between batches. */
  readonly progress?: (event: { label: string; share: number }) => void;
  /** Hears of an attack that breaks the rules. */
  readonly warn?: (message: string) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
  /** Processes that share every batch among them; all validate the same. */
  readonly collective?: Collective;
}

/** Logits of a batch, `[batch, classes]`, which the caller disposes, and whether each image is classified as its label says. */
async function cleanAnswers(
  model: Classifier,
  { images, labels }: Batch,
): Promise<{ logits: tf.Tensor2D; right: boolean[] }> {
  const logits = logitsOf(model, images);
  const predicted = tf.tidy(() => tf.argMax(logits, 1));
  const [found, wanted] = await Promise.all([predicted.data(), labels.data()]);
  predicted.dispose();
  return { logits, right: Array.from(wanted, (label, i) => found[i] === label) };
}

/** Which images of a batch `[from, to)` this process looks at. */
function ownRange(from: number, to: number, collective: Collective | undefined): [number, number] {
  if (!collective) return [from, to];
  const cuts = partCuts(to - from, collective.size);
  const at = (rank: number) => from + cuts[Math.min(rank, cuts.length - 1)]!;
  return [at(collective.rank), at(collective.rank + 1)];
}

/** Counts of all ranks together. */
function summedCounts(counts: Map<string, number>, names: readonly string[], collective: Collective | undefined): void {
  if (!collective) return;
  const values = Float32Array.from(names, (name) => counts.get(name) ?? 0);
  collective.allReduce(values);
  names.forEach((name, i) => values[i]! > 0 && counts.set(name, values[i]!));
}

type Measures = Pick<Validation, 'attacks' | 'further'>;

/** Names that differ: a label does not tell all settings of its attack. `pgd-20`, `pgd-20#2`. */
const numbered = (labels: readonly string[]): string[] =>
  labels.map((label, at) => {
    const before = labels.slice(0, at).filter((other) => other === label).length;
    return before === 0 ? label : `${label}#${before + 1}`;
  });

/** Names of the figures under attack, in order. */
const attackLabels = ({ attacks, further = [] }: Measures): string[] => [
  ...numbered(attacks.map(({ label }) => label)),
  ...further.flatMap((other) =>
    numbered(other.attacks.map(({ label }) => label)).map((label) => `${label}@${other.threat.norm.name}`),
  ),
];

/** Each attack with the name of its figure and its threat model. */
const measuredBy = ({ threat, ...measures }: Pick<Validation, 'threat'> & Measures) => {
  const { attacks, further = [] } = measures;
  const all = [{ threat, attacks }, ...further].flatMap((each) =>
    each.attacks.map((attack) => ({ attack, threat: each.threat })),
  );
  return attackLabels(measures).map((label, at) => ({ label, ...all[at]! }));
};

/** The names of all figures of a validation, in order. */
export const labelsOf = (measures: Measures): string[] => [
  'clean',
  ...attackLabels(measures),
  ...((measures.further?.length ?? 0) > 0 ? ['union'] : []),
];

/**
 * Clean accuracy and accuracy under each attack, in [0, 1], by the evaluator's rules: an image counts that is right when clean and that the
 * attack does not break; candidates that leave the ball or the pixel range break nothing. The same images and the same noise every epoch, so
 * that epochs can be compared; several ranks draw what one would draw, if the attack draws the same for every batch.
 * @throws the signal's reason, if it is aborted, of several ranks INTERRUPTED on all; BulwarkError ATTACK_INVALID
 */
export async function validate(validation: Validation): Promise<Record<string, number>> {
  const { hits, count } = await counted(validation);
  const labels = labelsOf(validation);
  return Object.fromEntries(labels.map((label) => [label, (hits.get(label) ?? 0) / count]));
}

const ofClass = (label: string, k: number) => `${label} of class ${k}`;

/** The same by class: clean, then the attacks in order. */
export async function validateByClass(validation: Validation): Promise<ClassAccuracies[]> {
  const { hits } = await counted(validation);
  const { labels } = validation.set;
  const sizes = Array.from({ length: validation.model.classes }, (_, k) =>
    labels.reduce((size, label) => size + Number(label === k), 0),
  );
  return labelsOf(validation).map((label) => ({
    label,
    byClass: sizes.map((size, k) => (size === 0 ? undefined : (hits.get(ofClass(label, k)) ?? 0) / size)),
  }));
}

/** How many images count, under each label and of each class under it, over all ranks. */
async function counted(validation: Validation): Promise<{ hits: ReadonlyMap<string, number>; count: number }> {
  const { model, set, batchSize, seed, progress, signal, collective } = validation;
  const measured = measuredBy(validation);
  const union = (validation.further ?? []).length > 0;
  const count = countOf(set);
  const hits = new Map<string, number>();
  const violations = new Map<string, number>();
  const add = (counts: Map<string, number>, name: string, n: number) => counts.set(name, (counts.get(name) ?? 0) + n);
  const randoms = new Map(measured.map(({ label }) => [label, createRandom(seed, `validation/${label}`)]));
  for (let first = 0; first < count; first += batchSize) {
    if (!collective) signal?.throwIfAborted();
    else if (signal?.aborted) break;
    const end = Math.min(first + batchSize, count);
    const [from, to] = ownRange(first, end, collective);
    if (from === to) continue;
    const indices = Array.from({ length: to - from }, (_, i) => from + i);
    const batch = takeExamples(set, indices);
    const { logits, right } = await cleanAnswers(model, batch);
    const clean = { model, images: batch.images, logits };
    const noteRight = (label: string, counts: readonly boolean[]) =>
      counts.forEach((one, k) => {
        if (!one) return;
        add(hits, label, 1);
        add(hits, ofClass(label, set.labels[indices[k]!]!), 1);
      });
    noteRight('clean', right);
    const part = { from: from - first, count: to - from, total: end - first };
    const standing = [...right];
    for (const { label, attack, threat } of measured) {
      const random = randomOfPart(randoms.get(label)!, part);
      const { candidates, verdicts } = await judge(attack, batch, { model, threat, random, clean });
      candidates.dispose();
      const holds = verdicts.map((verdict, k) => right[k]! && !breaks(verdict));
      noteRight(label, holds);
      holds.forEach((flag, k) => (standing[k] &&= flag));
      for (const { violation } of verdicts) if (violation) add(violations, `${label}/${violation}`, 1);
      progress?.({ label, share: end / count });
      await letOthersRun();
    }
    if (union) noteRight('union', standing);
    logits.dispose();
    disposeBatch(batch);
  }
  if (collective && anyRank(collective, signal?.aborted ?? false))
    throw new BulwarkError('INTERRUPTED', 'a rank was asked to stop during the validation');
  const labels = labelsOf(validation);
  const classes = Array.from({ length: model.classes }, (_, k) => k);
  summedCounts(hits, [...labels, ...labels.flatMap((label) => classes.map((k) => ofClass(label, k)))], collective);
  const kinds = (label: string) => violationKinds.map((violation) => `${label}/${violation}`);
  summedCounts(violations, labels.flatMap(kinds), collective);
  for (const { label } of measured) {
    const found = violationKinds.filter((violation) => violations.has(`${label}/${violation}`));
    if (found.length > 0)
      validation.warn?.(
        `attack ${label} broke the rules, its candidates do not count: ${found.map((violation) => `${violations.get(`${label}/${violation}`)} of ${count} ${violation}`).join(', ')}`,
      );
  }
  return { hits, count };
}

/** The first `limit` examples of a set. */
export const firstExamples = (set: ImageSet, limit: number | undefined): ImageSet =>
  limit === undefined || limit >= countOf(set)
    ? set
    : subset(
        set,
        Array.from({ length: limit }, (_, i) => i),
      );
