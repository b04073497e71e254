import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Job } from '../launch/index.js';
import { parseSeeds } from '../train/seeds.js';
import { jobsOf, planRow, type PlannedRow, type PlanOptions } from './plan.js';
import { trainStep } from './run-job.js';
import { rowOfConfig, scaleOf, type Table } from './table-file.js';

/** What the chosen rows need and is not there yet, by name. */
export function missingParts(table: Table, rows: readonly PlannedRow[], { scale, out }: PlanOptions): string[] {
  const needed = new Set(rows.flatMap(({ row }) => row.needs[scale] ?? []));
  return [...needed].filter((name) => !existsSync(join(out, scale, table.prepare[name]!.makes)));
}

/** Makes pseudo-labels: trains the labelling model with the scale's first seed, then labels. */
export async function preparation(table: Table, name: string, options: PlanOptions): Promise<Job> {
  const { scale, out } = options;
  const { makes, model, lay, data } = table.prepare[name]!;
  const { seeds, checkpoint } = scaleOf(table, scale);
  const planned = await planRow(table.folder, rowOfConfig(model), { ...options, lay });
  const [labelling] = jobsOf([planned], { ...options, seeds: [parseSeeds(seeds)[0]!] });
  const file = join(out, scale, makes);
  const { folder } = labelling!;
  const label = ['pseudo-label', '--model', folder, '--checkpoint', checkpoint, '--data', data, '--out', file];
  return {
    id: `${scale}/${name}`,
    steps: [trainStep(labelling!), { arguments: label, done: file }],
    finished: () => existsSync(file),
  };
}
