import { BulwarkError, previewRun, type CostPreview, type PluginSpec, type RunServices } from '@bulwark/core';
import { duration } from '../terminal/output.js';
import { parseAttacks } from '../evaluate/attack-specs.js';
import type { PlannedRow } from './plan.js';
import type { Column, Scale } from './table-file.js';

/** What one run of a row will cost on this machine. */
export interface Price {
  readonly row: PlannedRow;
  readonly secondsToTrain?: number;
  /** At most: as if no attack broke an image before its last stage. */
  readonly secondsToEvaluate?: number;
  /** Why there is no price. */
  readonly reason?: string;
}

/** Gradients (or forward passes, for Square) per image that an attack makes at most. */
export function gradientsOf(attack: string | PluginSpec, classes: number): number {
  const spec = typeof attack === 'string' ? parseAttacks([attack])[0]! : attack;
  const option = (name: string, fallback: number) => Number(spec[name] ?? fallback);
  const targets = Math.min(9, classes - 1);
  switch (spec.use) {
    case 'fgsm':
      return 1;
    case 'pgd':
      return option('steps', 20) * option('restarts', 1);
    case 'autoattack':
      // APGD-CE, APGD-T, FAB-T (backward and forward, final search) and Square's queries, which are forward only
      return 100 + 100 * targets + 2 * 100 * targets + option('queries', 5000) / 3;
    default:
      return option('steps', 100);
  }
}

const imagesOf = ({ images }: Column, test: number) =>
  images === 'all' ? test : Math.min(test, Number(images.replace('first:', '')));

/** Nearly every forward pass of a training step has its way back. */
export const secondsPerGradient = ({ secondsPerStep, forwardPasses, batchSize }: CostPreview): number =>
  secondsPerStep / forwardPasses / batchSize;

/** Seconds that a measured step may take: published settings are for GPUs, and a batch of theirs takes a laptop minutes. */
const patience = 5;

/** Measures a few steps of the row's run, on stand-ins for data that are not on this machine. */
export async function priceRow(
  row: PlannedRow,
  given: { scale: Scale; services: RunServices & { baseFolder: string } },
): Promise<Price> {
  try {
    const preview = await previewRun(row.config, { ...given.services, patience, standIns: true });
    const { testImages, classes } = preview;
    const perImage = given.scale.columns.map((column) =>
      column.attack === undefined ? 0 : imagesOf(column, testImages) * gradientsOf(column.attack, classes),
    );
    return {
      row,
      secondsToTrain: preview.secondsInAll,
      secondsToEvaluate: perImage.reduce((sum, gradients) => sum + gradients, 0) * secondsPerGradient(preview),
    };
  } catch (error) {
    if (!(error instanceof BulwarkError)) throw error;
    return { row, reason: error.message };
  }
}

/** What all missing jobs take, in words; jobs without a price are never counted as free. */
export function inAll({ missing, jobs, total }: { missing: number; jobs: number; total: number }): string {
  if (missing === 0) return 'nothing is left to do';
  if (jobs === 0) return 'none of them could be priced';
  const rest = missing - jobs;
  return `${duration(total)} in all on this machine, one after the other${rest === 0 ? '' : `, and ${rest} that could not be priced`}`;
}
