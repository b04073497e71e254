import { BulwarkError, imagesAt, type AttackEntry, type EvaluationResult, type ImageSet } from '@bulwark/core';

/** AutoAttack's standard version, as results name it. */
export const standard = 'autoattack-standard';

const percent = (share: number) => (100 * share).toFixed(2);

/** AutoAttack's own signs of a figure that may be wrong (its `flags_doc.md`). */
export const doubts = ['randomised-output', 'softmax-output', 'dynamic-behaviour', 'zero-gradient', 'square-better'];

/** The stages of AutoAttack standard in a result. @throws BulwarkError USAGE where it has none, or not all */
export function standardStages({ attacks }: EvaluationResult): readonly AttackEntry[] {
  const stages = attacks.filter(({ ensemble }) => ensemble === standard);
  if (stages.length > 0 && stages.every(({ done }) => done)) return stages;
  throw new BulwarkError(
    'USAGE',
    `a claim needs the whole standard version of AutoAttack; this result has ${stages.length === 0 ? 'not run it' : 'not finished it'}`,
    {
      hint: 'evaluate with --tier full',
    },
  );
}

const official = { linf: 'Linf', l2: 'L2', l1: 'L1' } as const;

/** The batches that a stage went through: how many it broke of how many. */
function batchesOf({ flags }: AttackEntry, batchSize: number): { broken: number; size: number }[] {
  const attacked = [...flags].filter((flag) => flag === '0' || flag === '1');
  return Array.from({ length: Math.ceil(attacked.length / batchSize) }, (_, b) => {
    const batch = attacked.slice(b * batchSize, (b + 1) * batchSize);
    return { broken: batch.filter((flag) => flag === '0').length, size: batch.length };
  });
}

/** What is read at once of an image set that may be larger than memory. */
const chunk = 1000;

/** Smallest and largest pixel of some images. */
function pixelsOf(set: ImageSet, positions: readonly number[]): { min: number; max: number } {
  let [min, max] = [Infinity, -Infinity];
  for (let from = 0; from < positions.length; from += chunk)
    for (const byte of imagesAt(set, positions.slice(from, from + chunk))) {
      min = Math.min(min, byte / 255);
      max = Math.max(max, byte / 255);
    }
  return { min, max };
}

/**
 * The official code's last look at its set of adversarial images, in which those that nothing broke stand as they were: the largest
 * perturbation, and the extreme pixels. A candidate with NaN breaks nothing here, so that none is in the set.
 * @returns undefined for results of before these figures were kept
 */
function lastLook(result: EvaluationResult, stages: readonly AttackEntry[], images: ImageSet): string | undefined {
  const { norm } = result.threat;
  const lengths = stages.map((stage) => stage[norm]);
  if (lengths.some((length) => length === undefined) || stages.some(({ l1 }) => l1 === undefined)) return undefined;
  const largest = Math.max(0, ...lengths.map((length) => length!.max));
  const standing = [...result.clean.flags].flatMap((_, i) =>
    stages.every(({ flags }) => flags[i] !== '0') ? [i] : [],
  );
  const parts = [pixelsOf(images, standing), ...stages.flatMap(({ pixels }) => pixels ?? [])];
  const [max, min] = [Math.max(...parts.map((part) => part.max)), Math.min(...parts.map((part) => part.min))];
  return `max ${official[norm]} perturbation: ${largest.toFixed(5)}, nan in tensor: 0, max: ${max.toFixed(5)}, min: ${min.toFixed(5)}`;
}

/**
 * What the official code logs of such an evaluation, line by line, doubts in words of ours.
 * @param of.batchSize images at once, as they were attacked
 * @param of.images those that were evaluated, in order: the extreme pixels of the adversarial set are partly theirs
 * @throws BulwarkError USAGE without a finished AutoAttack standard
 */
export function autoAttackLog(result: EvaluationResult, of: { batchSize: number; images: ImageSet }): string[] {
  const stages = standardStages(result);
  let seconds = 0;
  const ofStages = stages
    .filter(({ attacked }) => attacked > 0)
    .flatMap((stage) => {
      seconds += stage.seconds;
      const batches = batchesOf(stage, of.batchSize);
      return [
        ...batches.map(
          ({ broken, size }, b) =>
            `${stage.label} - ${b + 1}/${batches.length} - ${broken} out of ${size} successfully perturbed`,
        ),
        `robust accuracy after ${stage.label.toUpperCase()}: ${percent(stage.accuracy)}% (total time ${seconds.toFixed(1)} s)`,
      ];
    });
  const warnings = (seen: (id: string) => boolean) =>
    result.findings
      .filter(({ id }) => doubts.includes(id) && seen(id))
      .map(({ id, what }) => `Warning: ${id}: ${what}`);
  const look = lastLook(result, stages, of.images);
  return [
    `setting parameters for standard version`,
    `using standard version including ${stages.map(({ label }) => label).join(', ')}`,
    ...warnings((id) => id !== 'square-better'),
    `initial accuracy: ${percent(result.clean.accuracy)}%`,
    ...ofStages,
    ...warnings((id) => id === 'square-better'),
    ...(look === undefined ? [] : [look]),
    `robust accuracy: ${percent(stages.at(-1)!.accuracy)}%`,
  ];
}
