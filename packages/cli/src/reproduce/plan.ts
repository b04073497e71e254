import { basename, join, relative, resolve, sep } from 'node:path';
import { BulwarkError, type PluginRegistry, type RunConfig } from '@bulwark/core';
import { digestOf } from '@bulwark/core/files';
import { checkRun } from '@bulwark/core/run';
import { importUserModule, layOver, loadConfig } from '../config/load.js';
import { computesOf } from '../compare/computes.js';
import { override } from '../config/override.js';
import type { Table, TableRow } from './table-file.js';
import { scaleOf } from './table-file.js';

type Json = Record<string, unknown>;

/** One row of a table at one scale: a config, and the folder of its runs. */
export interface PlannedRow {
  readonly id: string;
  readonly row: TableRow;
  /** Says what is computed: the same in every table and on every machine. */
  readonly name: string;
  readonly config: RunConfig;
  /** As it will be written for `train`. */
  readonly input: Json;
}

/** One training with its evaluations; independent of all others once what it needs is prepared. */
export interface PlannedJob {
  readonly id: string;
  readonly planned: PlannedRow;
  readonly seed: number;
  readonly folder: string;
}

export interface PlanOptions {
  readonly scale: string;
  /** Part of the ids; default all. */
  readonly rows?: readonly string[];
  readonly seeds: readonly number[];
  /** Folder of all reproductions. */
  readonly out: string;
  readonly registry: PluginRegistry;
}

/** Rows with `over` become one row per combination of its values. */
function points(row: TableRow): { id: string; label: string; assignments: string[] }[] {
  return Object.entries(row.over).reduce(
    (all, [path, values]) =>
      all.flatMap(({ id, label, assignments }) =>
        values.map((value) => {
          const short = path.split('.').at(-1)!;
          return {
            id: `${id}@${short}=${value}`,
            label: `${label}, ${short} ${value}`,
            assignments: [...assignments, `${path}=${value}`],
          };
        }),
      ),
    [{ id: row.id, label: row.label, assignments: [] as string[] }],
  );
}

/** A run on another engine is the same run. */
const keyOf = (config: RunConfig) => digestOf({ ...computesOf(config), engine: undefined }).slice(0, 8);

/** The whole list of rows at a scale, each composed and checked. @throws BulwarkError CONFIG_INVALID, USAGE, ... */
export async function planRows(table: Table, options: PlanOptions): Promise<PlannedRow[]> {
  const all = table.rows.flatMap((row) => points(row).map((point) => ({ row, ...point })));
  const unknown = options.rows?.find((name) => !all.some(({ id, row }) => id === name || row.id === name));
  if (unknown !== undefined)
    throw new BulwarkError('USAGE', `${table.name} has no row ${JSON.stringify(unknown)}`, {
      hint: `rows are ${all.map(({ id }) => id).join(', ')}`,
    });
  const chosen = all.filter(
    ({ id, row }) => !options.rows || options.rows.includes(id) || options.rows.includes(row.id),
  );
  const { lay } = scaleOf(table, options.scale);
  return Promise.all(
    chosen.map(({ row, ...point }) => planRow(table.folder, { ...row, ...point }, { ...options, lay })),
  );
}

/** Composes and checks one row. */
export async function planRow(
  folder: string,
  { assignments = [], ...row }: TableRow & { assignments?: readonly string[] },
  options: PlanOptions & { lay: string | undefined },
): Promise<PlannedRow> {
  const { scale, out, registry } = options;
  const file = row.id.replace(/@.*/, '');
  const { input } = await loadConfig(join(folder, `${file}.yaml`));
  let laid = input;
  for (const over of [row.lay[scale] ?? options.lay ?? []].flat())
    laid = layOver(laid, (await loadConfig(join(folder, over))).input);
  const composed = override(laid, assignments);
  const services = { registry, importModule: importUserModule, baseFolder: join(out, scale) };
  const { config } = await checkRun(composed, services);
  const name = [config.data.use, basename(file), keyOf(config)].join('-');
  return { id: row.id, row, name, config: { ...config, name }, input: { ...composed, name } };
}

/**
 * The jobs of a plan, in an order that no machine changes: all rows with the first seed, then with the next. Rows that compute the
 * same share their runs.
 */
export function jobsOf(rows: readonly PlannedRow[], { scale, seeds, out }: PlanOptions): PlannedJob[] {
  const distinct = [...new Map(rows.map((planned) => [planned.name, planned])).values()];
  return seeds.flatMap((seed) =>
    distinct.map((planned) => ({
      id: `${scale}/${planned.name}/seed-${seed}`,
      planned,
      seed,
      folder: join(out, scale, planned.name, `seed-${seed}`),
    })),
  );
}

/** Says which rows are one computation, because what tells them apart at another scale is not there at this one. */
export function sameRuns(rows: readonly { readonly id: string; readonly run: string }[]): string[] {
  const idsOf = (wanted: string) => rows.filter(({ run }) => run === wanted).map(({ id }) => id);
  const shared = [...new Set(rows.map(({ run }) => run))].map(idsOf).filter(({ length }) => length > 1);
  if (shared.length === 0) return [];
  return [`One computation at this scale, with one set of runs: ${shared.map((ids) => ids.join(' = ')).join('; ')}.`];
}

/** A path as people read it: relative where that is shorter. */
export const shortPath = (path: string): string => {
  const near = relative(process.cwd(), path);
  return near.startsWith(`..${sep}..`) ? resolve(path) : near || '.';
};
