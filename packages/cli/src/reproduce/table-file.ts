import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BulwarkError } from '@bulwark/core';
import { firstWrong } from '@bulwark/core/files';
import { z } from 'zod';
import { loadConfig } from '../config/load.js';

const percent = z.number();

/** A published value in percent: alone, with the standard deviation over seeds, or with the half-width of its 95% interval. */
const referenceSchema = z.union([
  percent,
  z.strictObject({ mean: percent, sd: z.number().min(0), n: z.int().min(2) }),
  z.strictObject({ mean: percent, halfWidth: z.number().min(0), n: z.int().min(2) }),
]);

const columnSchema = z.strictObject({
  title: z.string().describe('head of the column'),
  label: z
    .string()
    .describe('which number: `clean`, the label of the attack, or `loss` for the last epoch of training'),
  attack: z
    .string()
    .optional()
    .describe('the attack as on the command line, `pgd:steps=20`; absent for clean and loss'),
  images: z
    .union([z.literal('all'), z.string().regex(/^(first:)?[1-9]\d*$/)])
    .default('all')
    .describe('test images: all, n spread over the set, or first:n'),
  epsilon: z.union([z.number(), z.string()]).optional().describe('another radius than the threat model of training'),
});

const scaleSchema = z.strictObject({
  meaning: z.string().describe('one line: what these runs are'),
  lay: z.string().optional().describe('config laid over every row, relative to the table file'),
  seeds: z.string().describe('default seeds, as --seeds takes them'),
  checkpoint: z.enum(['best', 'last']).describe('which checkpoint is evaluated'),
  columns: z.array(columnSchema).min(1),
});

const prepareSchema = z.strictObject({
  makes: z.string().describe('npz file, relative to the folder of the scale'),
  model: z.string().describe('path of the config, without .yaml, whose run with the first seed labels the images'),
  lay: z.string().optional().describe('config laid over it, relative to the table file'),
  data: z.string().describe('images to label, as `pseudo-label --data` takes them'),
});

const rowSchema = z.strictObject({
  id: z.string().describe('path of its config, without .yaml'),
  label: z.string(),
  group: z.string().optional(),
  over: z.record(z.string(), z.array(z.union([z.number(), z.string()]))).default({}),
  lay: z
    .record(z.string(), z.union([z.string(), z.array(z.string()).min(1)]))
    .default({})
    .describe('by scale: another config to lay over this row, or several, one over the other'),
  needs: z.record(z.string(), z.string()).default({}).describe('by scale: what must be prepared first'),
  reference: z
    .record(z.string(), z.record(z.string(), referenceSchema))
    .default({})
    .describe('by scale, then by label of the column'),
});

const tableSchema = z.strictObject({
  title: z.string(),
  notes: z.array(z.string()).default([]),
  /** Where the reference values come from. */
  source: z.string(),
  scales: z.record(z.string(), scaleSchema),
  prepare: z.record(z.string(), prepareSchema).default({}),
  rows: z.array(rowSchema).min(1),
  pairs: z
    .array(z.tuple([z.string(), z.string()]))
    .default([])
    .describe('ids of rows whose difference, seed by seed, is of interest: the first less the second'),
});

export type Reference = z.output<typeof referenceSchema>;
export type Column = z.output<typeof columnSchema>;
export type Scale = z.output<typeof scaleSchema>;
export type Prepare = z.output<typeof prepareSchema>;
export type TableRow = z.output<typeof rowSchema>;

/** A table of published results as rows of configs. */
export interface Table extends z.output<typeof tableSchema> {
  readonly name: string;
  /** Folder of the table file; ids and `lay` are relative to it. */
  readonly folder: string;
}

/** A row that no table has: the model that labels images. */
export const rowOfConfig = (id: string): TableRow => rowSchema.parse({ id, label: 'labelling model' });

/** Recipes come with the package, where the build puts them; in the sources they are among the examples. */
const recipes = ['../recipes', '../../../../examples/recipes']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

/** Names of the tables that come along. */
const tableNames = (): string[] =>
  (recipes === undefined ? [] : readdirSync(recipes))
    .filter((name) => name.endsWith('.yaml') && name !== 'scales.yaml')
    .map((name) => name.replace('.yaml', ''))
    .sort();

function pathOf(nameOrPath: string): string {
  if (/\.(ya?ml|json|ts|js|mjs)$/.test(nameOrPath)) return resolve(nameOrPath);
  if (tableNames().includes(nameOrPath)) return join(recipes!, `${nameOrPath}.yaml`);
  throw new BulwarkError('USAGE', `there is no table ${JSON.stringify(nameOrPath)}`, {
    hint: `name one of ${tableNames().join(', ')}, or give the path of a table file`,
  });
}

/**
 * Reads a table by its name among the recipes, or by its path.
 * @throws BulwarkError USAGE, CONFIG_PARSE or CONFIG_INVALID
 */
export async function loadTable(nameOrPath: string): Promise<Table> {
  const path = pathOf(nameOrPath);
  const { input } = await loadConfig(path);
  const parsed = tableSchema.safeParse(input);
  if (!parsed.success)
    throw new BulwarkError('CONFIG_INVALID', `${path}: ${firstWrong(parsed.error, input, 'the table')}`, {
      hint: 'mend the table file at this place',
    });
  const { data } = parsed;
  const unknown = data.pairs.flat().find((id) => !data.rows.some((row) => row.id === id));
  if (unknown !== undefined)
    throw new BulwarkError('CONFIG_INVALID', `${path}: pairs name ${unknown}, which is not a row`, {
      hint: 'name ids of rows',
    });
  for (const row of data.rows)
    for (const [scale, name] of Object.entries(row.needs))
      if (!data.prepare[name])
        throw new BulwarkError('CONFIG_INVALID', `${path}: row ${row.id} needs ${name} at scale ${scale}`, {
          hint: `describe ${name} under prepare`,
        });
  return { ...data, name: /([^/\\]+)\.\w+$/.exec(path)![1]!, folder: dirname(path) };
}

/** @throws BulwarkError USAGE for a scale that the table does not have */
export function scaleOf(table: Table, name: string): Scale {
  const found = table.scales[name];
  if (found) return found;
  throw new BulwarkError('USAGE', `${table.name} has no scale ${JSON.stringify(name)}`, {
    hint: `choose ${Object.keys(table.scales).join(' or ')}`,
  });
}
