import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { runBulwark, type ChildOptions } from '../terminal/child.js';
import { parseSeeds } from '../train/seeds.js';
import { jobsOf, planRow, type PlannedRow, type PlanOptions } from './plan.js';
import { trainJob } from './run-job.js';
import { rowOfConfig, scaleOf, type Table } from './table-file.js';

/** What the chosen rows need and is not there yet, by name. */
export function missingParts(table: Table, rows: readonly PlannedRow[], { scale, out }: PlanOptions): string[] {
  const needed = new Set(rows.flatMap(({ row }) => row.needs[scale] ?? []));
  return [...needed].filter((name) => !existsSync(join(out, scale, table.prepare[name]!.makes)));
}

/** Makes pseudo-labels: trains the labelling model with the scale's first seed, then labels. @throws BulwarkError REPRODUCE_FAILED */
export async function prepare(
  table: Table,
  name: string,
  options: PlanOptions & { child: Omit<ChildOptions, 'label'> },
): Promise<void> {
  const { scale, out, child } = options;
  const { makes, model, lay, data } = table.prepare[name]!;
  const { seeds, checkpoint } = scaleOf(table, scale);
  const planned = await planRow(table.folder, rowOfConfig(model), { ...options, lay });
  const [job] = jobsOf([planned], { ...options, seeds: [parseSeeds(seeds)[0]!] });
  const file = join(out, scale, makes);
  const labelled =
    (await trainJob(job!, child)) &&
    (await runBulwark(
      ['pseudo-label', '--model', job!.folder, '--checkpoint', checkpoint, '--data', data, '--out', file],
      { ...child, label: name },
    )) === 0;
  if (!labelled && !child.signal.aborted)
    throw new BulwarkError('REPRODUCE_FAILED', `${name} could not be made: ${file}`, {
      cure: 'see the messages above; the same command goes on where this one stopped',
    });
}
