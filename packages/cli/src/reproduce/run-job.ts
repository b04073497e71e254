import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { EvaluationResult } from '@bulwark/core';
import { loadEvaluation } from '@bulwark/core/evaluation';
import { digestOf, writeAtomically } from '@bulwark/core/files';
import { openRunFolder } from '@bulwark/core/run';
import { pluginFlags } from '../trust/policy.js';
import type { Job, Step } from '../launch/index.js';
import type { PlannedJob } from './plan.js';
import type { Column, Scale } from './table-file.js';

/** Columns that one evaluation measures: the same images under the same threat. */
export interface EvaluationPart {
  readonly attacks: readonly string[];
  readonly images: string;
  readonly epsilon?: number | string;
  /** Name of the result file; says what was asked for, so that tables share it. */
  readonly name: string;
}

/** The fewest evaluations that measure all columns. */
export function evaluationParts(columns: readonly Column[]): EvaluationPart[] {
  const groups = new Map<string, { images: string; epsilon?: number | string; attacks: string[] }>();
  for (const { attack, images, epsilon } of columns) {
    if (attack === undefined) continue;
    const key = `${images} ${epsilon ?? ''}`;
    const group = groups.get(key) ?? { images, ...(epsilon !== undefined && { epsilon }), attacks: [] };
    if (!group.attacks.includes(attack)) group.attacks.push(attack);
    groups.set(key, group);
  }
  return [...groups.values()].map((part) => ({ ...part, name: `table-${digestOf(part).slice(0, 8)}` }));
}

/** The part that measures a column; for clean accuracy the one with the same images. */
export const partOf = (parts: readonly EvaluationPart[], column: Column): EvaluationPart | undefined =>
  parts.find(
    ({ attacks, images, epsilon }) =>
      images === column.images &&
      epsilon === column.epsilon &&
      (column.attack === undefined || attacks.includes(column.attack)),
  );

export const evaluationFile = (folder: string, { checkpoint }: Scale, { name }: EvaluationPart): string =>
  join(folder, 'evaluation', checkpoint, `${name}.json`);

export const isTrained = (folder: string): boolean =>
  existsSync(join(folder, 'config.json')) && openRunFolder(folder).readSummary() !== undefined;

/** A finished evaluation of this part, if there is one. */
export async function measuredPart(
  folder: string,
  scale: Scale,
  part: EvaluationPart,
): Promise<EvaluationResult | undefined> {
  const result = await loadEvaluation(evaluationFile(folder, scale, part));
  return result?.complete ? result : undefined;
}

export async function isFinished({ folder }: PlannedJob, scale: Scale): Promise<boolean> {
  if (!isTrained(folder)) return false;
  for (const part of evaluationParts(scale.columns)) if (!(await measuredPart(folder, scale, part))) return false;
  return true;
}

/** Plugins of the table's configs, whose paths are relative to the folder of the scale. */
const pluginsOf = ({ planned, folder }: PlannedJob) => pluginFlags(planned.config.plugins, dirname(dirname(folder)));

/** Trains, or goes on where the run stands. */
export function trainStep(job: PlannedJob): Step {
  const { planned, seed, folder } = job;
  // paths in the config are relative to the folder of the scale, which holds what was prepared
  const config = join(dirname(dirname(folder)), `${planned.name}.json`);
  if (!existsSync(config)) writeAtomically(config, `${JSON.stringify(planned.input, null, 2)}\n`);
  return {
    arguments: ['train', config, '--set', `seed=${seed}`, '--out', folder],
    resume: { when: join(folder, 'config.json'), arguments: ['train', '--resume', folder, ...pluginsOf(job)] },
    done: join(folder, 'summary.json'),
  };
}

function evaluateStep(job: PlannedJob, scale: Scale, part: EvaluationPart): Step {
  const { folder } = job;
  const flags = ['--checkpoint', scale.checkpoint, '--images', part.images, '--no-probes'];
  const epsilon = part.epsilon === undefined ? [] : ['--epsilon', String(part.epsilon)];
  const out = ['--out', evaluationFile(folder, scale, part)];
  return {
    arguments: ['evaluate', folder, ...pluginsOf(job), ...flags, ...epsilon, ...out, '--attacks', ...part.attacks],
  };
}

/** Trains what is not trained and measures what is not measured. */
export const jobOf = (planned: PlannedJob, scale: Scale): Job => ({
  id: planned.id,
  steps: [trainStep(planned), ...evaluationParts(scale.columns).map((part) => evaluateStep(planned, scale, part))],
  finished: () => isFinished(planned, scale),
});
