import { BulwarkError, type EvaluationResult } from '@bulwark/core';
import { openRunFolder } from '@bulwark/core/run';
import { estimate, studentTQuantile, type Estimate } from '../compare/student-t.js';
import type { PlannedRow } from './plan.js';
import { evaluationParts, isTrained, measuredPart, partOf, type EvaluationPart } from './run-job.js';
import type { Column, Reference, Scale } from './table-file.js';

/** Ours beside the published value; in percent, the loss as it is. */
export interface Cell {
  readonly column: string;
  readonly ours?: Estimate;
  readonly reference?: { readonly mean: number; readonly halfWidth?: number; readonly n?: number };
  /** Ours less the published value, with the half-width of its 95% interval where both sides tell their spread (Welch). */
  readonly difference?: { readonly mean: number; readonly halfWidth?: number };
}

export interface CollectedRow {
  readonly id: string;
  readonly label: string;
  readonly group?: string;
  readonly run: string;
  /** Seeds that are finished, and those that were asked for. */
  readonly seeds: readonly number[];
  readonly missing: readonly number[];
  readonly cells: readonly Cell[];
}

/** Mean and standard error of a published value. */
function spreadOf(reference: Reference): { mean: number; error?: number; n?: number } {
  if (typeof reference === 'number') return { mean: reference };
  const { mean, n } = reference;
  const error = 'sd' in reference ? reference.sd / Math.sqrt(n) : reference.halfWidth / studentTQuantile(0.95, n - 1);
  return { mean, error, n };
}

const standardError = (values: readonly number[], mean: number) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) / values.length);

/**
 * Difference of two means whose spreads may differ (Welch, with Satterthwaite's degrees of freedom, rounded down). Without a spread
 * on one side there is no interval.
 */
export function welch(ours: Estimate, reference: Reference): { mean: number; halfWidth?: number } {
  const published = spreadOf(reference);
  const mean = ours.mean - published.mean;
  const n = ours.values.length;
  if (n < 2 || published.error === undefined) return { mean };
  const a = standardError(ours.values, ours.mean) ** 2;
  const b = published.error ** 2;
  if (a + b === 0) return { mean, halfWidth: 0 };
  const freedom = (a + b) ** 2 / (a ** 2 / (n - 1) + b ** 2 / (published.n! - 1));
  return { mean, halfWidth: studentTQuantile(0.95, Math.max(1, Math.floor(freedom))) * Math.sqrt(a + b) };
}

/** The value of a column in a result; an ensemble counts after its last stage. */
function valueIn(result: EvaluationResult, column: Column): number {
  if (column.label === 'clean') return 100 * result.clean.accuracy;
  const found = result.attacks.filter(({ label, ensemble }) => (ensemble ?? label) === column.label).at(-1);
  if (found) return 100 * found.accuracy;
  const known = [...new Set(result.attacks.map(({ label, ensemble }) => ensemble ?? label))];
  throw new BulwarkError('CONFIG_INVALID', `column ${column.title}: no attack is labelled ${column.label}`, {
    hint: `use clean, loss or one of ${known.join(', ')}`,
  });
}

async function valueOf(
  folder: string,
  column: Column,
  given: { scale: Scale; parts: readonly EvaluationPart[] },
): Promise<number | undefined> {
  if (!isTrained(folder)) return undefined;
  if (column.label === 'loss') return (openRunFolder(folder).readSummary() as { last: { loss: number } }).last.loss;
  const part = partOf(given.parts, column);
  const result = part && (await measuredPart(folder, given.scale, part));
  return result && valueIn(result, column);
}

/** What the finished jobs of a row come to. */
export async function collectRow(
  planned: PlannedRow,
  given: { scaleName: string; scale: Scale; seeds: readonly number[]; folderOf: (seed: number) => string },
): Promise<CollectedRow> {
  const { scale, seeds, folderOf } = given;
  const parts = evaluationParts(scale.columns);
  const bySeed = await Promise.all(
    seeds.map(async (seed) => ({
      seed,
      values: await Promise.all(scale.columns.map((column) => valueOf(folderOf(seed), column, { scale, parts }))),
    })),
  );
  const finished = bySeed.filter(({ values }) => values.every((value) => value !== undefined));
  const { id, row, name } = planned;
  return {
    id,
    label: row.label,
    ...(row.group !== undefined && { group: row.group }),
    run: name,
    seeds: finished.map(({ seed }) => seed),
    missing: bySeed.filter((one) => !finished.includes(one)).map(({ seed }) => seed),
    cells: scale.columns.map(({ title, label }, k): Cell => {
      const reference = row.reference[given.scaleName]?.[label];
      const ours = finished.length > 0 ? estimate(finished.map(({ values }) => values[k]!)) : undefined;
      return {
        column: title,
        ...(ours && { ours }),
        ...(reference !== undefined && { reference: published(reference) }),
        ...(ours && reference !== undefined && { difference: welch(ours, reference) }),
      };
    }),
  };
}

function published(reference: Reference): NonNullable<Cell['reference']> {
  const { mean, error, n } = spreadOf(reference);
  if (error === undefined || n === undefined) return { mean };
  return { mean, halfWidth: studentTQuantile(0.95, n - 1) * error, n };
}

/** Two rows compared seed by seed: runs of one seed share initial weights and the order of the batches. */
export interface PairedRow {
  readonly label: string;
  readonly seeds: readonly number[];
  readonly cells: readonly { readonly column: string; readonly difference: Estimate }[];
}

/** Paired differences over the seeds that both rows have finished; pairs without two common seeds are left out. */
export function pairRows(rows: readonly CollectedRow[], pairs: readonly (readonly [string, string])[]): PairedRow[] {
  return pairs.flatMap(([first, second]) => {
    const [left, right] = [first, second].map((id) => rows.find((row) => row.id === id));
    if (!left || !right) return [];
    const common = left.seeds.filter((seed) => right.seeds.includes(seed));
    if (common.length < 2) return [];
    const of = (row: CollectedRow, k: number, seed: number) => row.cells[k]!.ours!.values[row.seeds.indexOf(seed)]!;
    const cells = left.cells.map(({ column }, k) => ({
      column,
      difference: estimate(common.map((seed) => of(left, k, seed) - of(right, k, seed))),
    }));
    return [{ label: `${left.label} − ${right.label}`, seeds: common, cells }];
  });
}
