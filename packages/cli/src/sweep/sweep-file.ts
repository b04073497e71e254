import { basename, extname, resolve } from 'node:path';
import { BulwarkError, integer, number, plugin, type PluginSpec } from '@bulwark/core';
import { firstWrong } from '@bulwark/core/files';
import { folderName } from '@bulwark/core/run';
import { z } from 'zod';
import { layOver, loadConfig, type LoadedConfig } from '../config/load.js';
import { override, setAt } from '../config/override.js';
import { parseSeeds } from '../train/seeds.js';

const json = z.json();
const path = z.string().regex(/^[^\s.]+(\.[^\s.]+)*$/, 'a path in the config, such as objective.beta');
const values = z.array(json).min(1).describe('values to choose from');

const range = z
  .strictObject({
    from: number().describe('smallest value'),
    to: number().describe('largest value'),
    scale: z.enum(['linear', 'log']).default('linear').describe('what is drawn evenly: the value or its logarithm'),
    integer: z.boolean().default(false).describe('whole numbers only, both ends included'),
  })
  .refine(({ from, to }) => from < to, 'from must be less than to')
  .refine(({ from, scale }) => scale === 'linear' || from > 0, 'a logarithmic range begins above 0');

const drawn = {
  samples: integer({ min: 1 }).describe('points to draw'),
  seed: integer({ min: 0 }).default(0).describe('of the draws'),
  over: z.record(path, z.union([values, range])).describe('by path: a list of values, or a range'),
};

const searchSchema = z.discriminatedUnion('use', [
  z.strictObject({ use: z.literal('grid'), over: z.record(path, values).describe('by path: values, all combined') }),
  z.strictObject({
    use: z.literal('list'),
    points: z.array(z.record(path, json)).min(1).describe('points, each as values by path'),
  }),
  z.strictObject({ use: z.literal('random'), ...drawn }),
  z.strictObject({
    use: z.literal('halving').describe('successive halving (Jamieson and Talwalkar, 2016; arXiv:1502.07943)'),
    ...drawn,
    epochs: z
      .strictObject({ from: integer({ min: 1 }), to: integer({ min: 1 }) })
      .refine(({ from, to }) => from < to, 'from must be less than to')
      .describe('epochs of the first and of the last round'),
    factor: integer({ min: 2 }).default(3).describe('each round has so many times fewer points and more epochs'),
    metric: z
      .string()
      .optional()
      .describe('validation accuracy that decides; default: the one that chooses checkpoints'),
  }),
]);

const evaluateSchema = z
  .strictObject({
    tier: z.enum(['quick', 'fast', 'full']).optional().describe('how much effort'),
    attacks: z.array(z.string()).min(1).optional().describe('attacks as on the command line, instead of a tier'),
    images: z
      .union([z.string(), integer({ min: 1 })])
      .optional()
      .describe('as --images of evaluate'),
    checkpoint: z.enum(['best', 'last']).default('best').describe('which weights'),
  })
  .refine(({ tier, attacks }) => tier === undefined || attacks === undefined, 'a tier and attacks exclude each other');

const sweepSchema = z.strictObject({
  $schema: z.string().optional(),
  name: folderName.optional().describe('name of the folder; default: that of the file'),
  config: z.string().describe('config of all runs, relative to this file'),
  set: z.record(path, json).default({}).describe('values by path, for all runs'),
  seeds: z
    .union([z.string(), integer({ min: 0 }), z.array(integer({ min: 0 })).min(1)])
    .default('1')
    .transform((given) => parseSeeds(String(given)))
    .describe('seeds of every point: 1..3 or a list'),
  search: searchSchema.describe('which points'),
  evaluate: evaluateSchema
    .optional()
    .describe('what to measure after training; default: what training itself measures'),
  launcher: plugin('launcher').default({ use: 'local' }).describe('where jobs run'),
  plugins: z.array(z.string()).default([]).describe('packages or relative paths with further launchers'),
});

export type Search = z.output<typeof searchSchema>;
export type EvaluateOptions = z.output<typeof evaluateSchema>;
export type Json = z.output<typeof json>;

/** A sweep as written, with the config of its runs. */
export interface Sweep extends Omit<z.output<typeof sweepSchema>, 'name' | 'launcher' | '$schema' | 'set' | 'config'> {
  readonly name: string;
  readonly launcher: PluginSpec;
  /** Folder of the sweep file. */
  readonly folder: string;
  /** The config that points are laid over, and the folder that its paths refer to. */
  readonly base: LoadedConfig;
}

/** Checks what a sweep file holds, without the config that it names. @throws BulwarkError CONFIG_INVALID */
export function checkSweep(input: unknown, file: string): z.output<typeof sweepSchema> {
  const parsed = sweepSchema.safeParse(input);
  if (!parsed.success)
    throw new BulwarkError('CONFIG_INVALID', `${file}: ${firstWrong(parsed.error, input, 'the sweep')}`, {
      hint: 'docs/sweeps.md has every key of a sweep file',
    });
  return parsed.data;
}

/**
 * Reads a sweep file and the config that it names.
 * @param assignments as --set takes them: laid over the config of all runs
 * @throws BulwarkError CONFIG_PARSE, CONFIG_INVALID, USAGE
 */
export async function loadSweep(file: string, assignments: readonly string[] = []): Promise<Sweep> {
  const { input, baseFolder: folder } = await loadConfig(file);
  const { config, set, name = basename(file, extname(file)), $schema: _, evaluate, ...rest } = checkSweep(input, file);
  const base = await loadConfig(resolve(folder, config));
  const all = Object.entries(set).reduce<unknown>((value, [at, to]) => setAt(value, at.split('.'), to), base.input);
  return {
    ...rest,
    ...(evaluate && { evaluate }),
    name,
    folder,
    base: { input: override(layOver({}, all as Record<string, unknown>), assignments), baseFolder: base.baseFolder },
  };
}
