import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { digestOf, loadEvaluation, openRunFolder, writeAtomically, type EvaluationResult } from '@bulwark/core';
import { runBulwark, type ChildOptions } from '../terminal/child.js';
import { pluginFlags } from '../trust/policy.js';
import type { Job } from './plan.js';
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

export async function isFinished({ folder }: Job, scale: Scale): Promise<boolean> {
  if (!isTrained(folder)) return false;
  for (const part of evaluationParts(scale.columns)) if (!(await measuredPart(folder, scale, part))) return false;
  return true;
}

type Child = Omit<ChildOptions, 'label'>;

/** Plugins of the table's configs, whose paths are relative to the folder of the scale. */
const pluginsOf = ({ planned, folder }: Job) => pluginFlags(planned.config.plugins, dirname(dirname(folder)));

/** Trains, or goes on where the run stands. @returns whether it is trained now */
export async function trainJob(job: Job, child: Child): Promise<boolean> {
  const { planned, seed, folder, id } = job;
  if (isTrained(folder)) return true;
  // paths in the config are relative to the folder of the scale, which holds what was prepared
  const config = join(dirname(dirname(folder)), `${planned.name}.json`);
  if (!existsSync(config)) {
    mkdirSync(dirname(config), { recursive: true });
    writeAtomically(config, `${JSON.stringify(planned.input, null, 2)}\n`);
  }
  const begun = existsSync(join(folder, 'config.json'));
  const arguments_ = begun
    ? ['--resume', folder, ...pluginsOf(job)]
    : [config, '--set', `seed=${seed}`, '--out', folder];
  return (await runBulwark(['train', ...arguments_], { ...child, label: id })) === 0;
}

/** Trains what is not trained and measures what is not measured. @returns whether the job is finished now */
export async function runJob(job: Job, scale: Scale, child: Child): Promise<boolean> {
  if (!(await trainJob(job, child))) return false;
  for (const part of evaluationParts(scale.columns)) {
    if (child.signal.aborted) return false;
    if (await measuredPart(job.folder, scale, part)) continue;
    const flags = ['--checkpoint', scale.checkpoint, '--images', part.images, '--no-probes'];
    const epsilon = part.epsilon === undefined ? [] : ['--epsilon', String(part.epsilon)];
    const out = ['--out', evaluationFile(job.folder, scale, part)];
    const code = await runBulwark(
      ['evaluate', job.folder, ...pluginsOf(job), ...flags, ...epsilon, ...out, '--attacks', ...part.attacks],
      { ...child, label: job.id },
    );
    if (code !== 0) return false;
  }
  return true;
}
