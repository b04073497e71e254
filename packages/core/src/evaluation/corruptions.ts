import { z } from 'zod';
import { checkImageSet, countOf, disposeBatch, rangeOf, takeExamples, type ImageSet } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import { BulwarkError } from '../errors.js';
import { letOthersRun } from '../event-loop.js';
import { digestOf, firstWrong, readIfThere, textOf, writeAtomically } from '../files/index.js';
import type { TestGroup } from '../hooks/index.js';
import { answersOf } from './answers.js';
import { arithmeticInUse, arithmeticOf } from './arithmetic.js';
import { fingerprintModel } from './fingerprint.js';
import { wilsonInterval } from './statistics.js';

const count = z.number().int().min(0);
const schema = z.strictObject({
  format: z.literal('bulwark-corruptions'),
  version: z.literal(1),
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  /** Images at most of each group; absent: all. */
  data: z.strictObject({ name: z.string(), images: count.optional() }),
  repeats: z.number().int().min(2).optional(),
  /** How passes rounded, if some of them were not float32 throughout: `products in TF32`. */
  arithmetic: z.string().min(1).optional(),
  /** False while groups are missing. */
  complete: z.boolean(),
  /** One for each corruption and severity, in the order of the data. */
  groups: z.array(z.strictObject({ name: z.string(), level: count, count: count.min(1), correct: count })),
});
/** How a model classifies corrupted images, plain JSON; every figure follows from its counts. */
export type CorruptionResult = z.infer<typeof schema>;

/** Images of a corruption at a severity, and how many are classified correctly. */
export type CorruptionGroup = CorruptionResult['groups'][number];

/** What to measure. */
export interface CorruptionEvaluation {
  readonly model: Classifier;
  readonly data: { readonly name: string; readonly test: ImageSet; readonly groups?: readonly TestGroup[] };
  /** Images at most of each group, spread over it; default all. */
  readonly images?: number;
  readonly batchSize?: number;
  /** Passes whose most frequent answer counts; default 1. */
  readonly repeats?: number;
  /** A result to continue; groups in it are not measured again. */
  readonly previous?: CorruptionResult;
  /** Called after every group with the result so far. */
  readonly save?: (result: CorruptionResult) => void;
  /** Called after every batch: the group, and the share of all images that are done. */
  readonly progress?: (at: { group: TestGroup; share: number }) => void;
  readonly signal?: AbortSignal;
}

const refuse = (code: 'BATCH_INVALID' | 'USAGE', what: string, hint: string) =>
  new BulwarkError(code, `corruptions: ${what}`, { hint });

/** Accuracy, mean over the groups. */
const meanOf = (groups: readonly CorruptionGroup[]) =>
  groups.reduce((sum, { correct, count: images }) => sum + correct / images, 0) / groups.length;

/** One corruption: the mean over its severities, and each of them. */
export interface CorruptionRow {
  readonly name: string;
  readonly accuracy: number;
  readonly levels: readonly {
    readonly level: number;
    readonly count: number;
    readonly accuracy: number;
    readonly interval: readonly [number, number];
  }[];
}

/**
 * The table of a result: accuracy of each corruption at each severity with Wilson's 95 % interval, their means, and the mean over all of
 * them, as RobustBench ranks models (every corruption and severity counts the same).
 */
export function corruptionTable({ groups }: Pick<CorruptionResult, 'groups'>): {
  readonly mean: number;
  readonly rows: readonly CorruptionRow[];
} {
  const names = [...new Set(groups.map(({ name }) => name))];
  const rows = names.map((name) => {
    const own = groups.filter((group) => group.name === name);
    const levels = own.map(({ level, count: images, correct }) => ({
      ...{ level, count: images, accuracy: correct / images },
      interval: wilsonInterval(correct, images),
    }));
    return { name, accuracy: meanOf(own), levels };
  });
  return { mean: meanOf(groups), rows };
}

/** Positions of `most` images, spread evenly over a group. */
const spreadOver = (length: number, most = length) => {
  const taken = Math.min(length, most);
  return Array.from({ length: taken }, (_, i) => Math.floor((i * length) / taken));
};

/**
 * Accuracy on images under common corruptions (Hendrycks and Dietterich, 2019; arXiv:1903.12261), without an adversary.
 * @throws BulwarkError USAGE where the data has no groups, or `previous` is of another model or of other images; BATCH_INVALID,
 *   MODEL_INVALID, INTERRUPTED
 */
export async function evaluateCorruptions(evaluation: CorruptionEvaluation): Promise<CorruptionResult> {
  const { model, data, images, batchSize = 250, repeats = 1, previous, save, progress, signal } = evaluation;
  const { test, groups = [], name } = data;
  if (groups.length === 0)
    throw refuse(
      'USAGE',
      `${name} does not say which of its images are corrupted how`,
      'take cifar10-c or cifar100-c, or give your data source `groups`',
    );
  if (test.shape.join() !== model.inputShape.join())
    throw refuse(
      'BATCH_INVALID',
      `images are ${test.shape.join('x')}, the model takes ${model.inputShape.join('x')}`,
      'take corrupted images of the data that the model was made for',
    );
  checkImageSet(test, { name, classes: model.classes });
  const whole = (at: number) => Number.isInteger(at) && at >= 0 && at <= countOf(test);
  const odd = groups.find(({ from, to }) => !whole(from) || !whole(to) || to <= from);
  if (odd)
    throw refuse(
      'BATCH_INVALID',
      `${odd.name} at ${odd.level} is images ${odd.from} to ${odd.to} of ${countOf(test)}`,
      'give groups of whole images within the test set',
    );
  if (test.labels.some((label) => label < 0))
    throw refuse('BATCH_INVALID', `images of ${name} have no label`, 'evaluate labelled images');
  const head = {
    format: 'bulwark-corruptions' as const,
    version: 1 as const,
    model: { name: model.name, fingerprint: await fingerprintModel(model) },
    data: { name, ...(images !== undefined && { images }) },
    ...(repeats > 1 && { repeats }),
  };
  if (previous) {
    const { groups: _groups, complete: _complete, arithmetic: _arithmetic, ...other } = previous;
    if (JSON.stringify(other) !== JSON.stringify(head))
      throw refuse(
        'USAGE',
        'the result to be continued is of another model, other images or other passes',
        'write this evaluation to another file (--out), or begin anew (--fresh)',
      );
  }
  const done = previous?.groups ?? [];
  const known = ({ name: of, level }: TestGroup) => done.find((group) => group.name === of && group.level === level);
  const plan = groups.map((group) => ({ group, indices: spreadOver(group.to - group.from, images) }));
  const total = plan.reduce((sum, { indices }) => sum + indices.length, 0);
  let seen = 0;
  const found: CorruptionGroup[] = [];
  const how = arithmeticOf([previous?.arithmetic, arithmeticInUse()]);
  const result = (): CorruptionResult => ({
    ...{ ...head, ...how },
    complete: found.length === groups.length,
    groups: [...found],
  });
  for (const { group, indices } of plan) {
    const part = rangeOf(test, group.from, group.to);
    let correct = 0;
    const before = known(group);
    for (let from = 0; from < indices.length && !before; from += batchSize) {
      if (signal?.aborted)
        throw new BulwarkError('INTERRUPTED', 'the evaluation was interrupted; finished corruptions are kept', {
          hint: 'run the same command again to continue',
        });
      const chosen = indices.slice(from, from + batchSize);
      const batch = takeExamples(part, chosen);
      const { classes, notFinite } = await answersOf(model, batch.images, repeats);
      disposeBatch(batch);
      const bad = notFinite.find((value) => value !== undefined);
      if (bad !== undefined)
        throw new BulwarkError('MODEL_INVALID', `the logits of an image under ${group.name} contain ${bad}`, {
          hint: 'the weights are broken or training diverged; evaluate an earlier checkpoint',
        });
      correct += chosen.filter((i, k) => part.labels[i] === classes[k]).length;
      progress?.({ group, share: (seen + from + chosen.length) / total });
      await letOthersRun();
    }
    seen += indices.length;
    found.push(before ?? { name: group.name, level: group.level, count: indices.length, correct });
    save?.(result());
  }
  return result();
}

/** Writes a result with a checksum. @throws BulwarkError FILE_WRITE */
export function saveCorruptions(file: string, result: CorruptionResult): void {
  writeAtomically(file, `${JSON.stringify({ ...result, sha256: digestOf(result) })}\n`);
}

/** The result in a file, or undefined where there is none. @throws BulwarkError DATA_CORRUPT */
export function loadCorruptions(file: string): CorruptionResult | undefined {
  const content = readIfThere(file);
  if (!content) return undefined;
  const refused = (why: string) =>
    new BulwarkError('DATA_CORRUPT', `${file} ${why}`, {
      hint: 'evaluate again with another output file, or delete this one',
    });
  let json: unknown;
  try {
    json = JSON.parse(textOf(content));
  } catch {
    throw refused('is not JSON');
  }
  const { sha256, ...rest } = (json ?? {}) as { sha256?: unknown };
  const { data, error } = schema.safeParse(rest);
  if (!data) throw refused(`is no result of corruptions: ${firstWrong(error, rest)}`);
  if (sha256 !== digestOf(data)) throw refused('was changed since it was written: its checksum differs');
  if (data.groups.some(({ correct, count: images }) => correct > images))
    throw refused('has more correct images than images');
  return data;
}
