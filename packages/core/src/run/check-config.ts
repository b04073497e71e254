import { z } from 'zod';
import { BulwarkError } from '../errors.js';
import type { PluginKind, PluginRegistry, PluginSpec } from '../plugins/index.js';
import { nearest } from '../plugins/index.js';
import { runConfigSchema, type RunConfig } from './config.js';
import { refuseBytes, type WrittenLength } from '../threat/index.js';
import { findLengths, findReferences, replaceAt } from './schema-walk.js';

type Path = readonly (string | number)[];

const written = (path: Path): string =>
  path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${key}` : key), '');

const received = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text === undefined ? 'nothing' : text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((current, key) => (current as Record<string | number, unknown> | undefined)?.[key], value);

/** Turns the first issue of a failed parse into one sentence: path, value received, what is allowed, nearest valid name. */
function refuse(issue: z.core.$ZodIssue, context: { input: unknown; at: Path; known: readonly string[] }): never {
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const near = nearest(key, context.known);
    throw new BulwarkError(
      'CONFIG_INVALID',
      `${written([...context.at, ...(issue.path as Path), key])} is not an option here; known: ${context.known.join(', ') || 'none'}`,
      { cure: near ? `did you mean ${near}?` : 'remove it' },
    );
  }
  const path = issue.path as Path;
  const value = valueAt(context.input, path);
  const place = written([...context.at, ...path]) || 'the config';
  const message =
    value === undefined ? `${place} is missing (${issue.message})` : `${place} is ${received(value)}: ${issue.message}`;
  throw new BulwarkError('CONFIG_INVALID', message, { cure: `set ${place} to an allowed value` });
}

/** Keys that a strict object at this path of a schema knows, for suggestions. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  let current = schema as unknown as { _zod: { def: Record<string, unknown> } };
  for (const key of [...path, undefined]) {
    while (['optional', 'default', 'prefault', 'nullable', 'pipe'].includes(current._zod.def['type'] as string))
      current = (current._zod.def['innerType'] ?? current._zod.def['out']) as typeof current;
    const { type, element, options, ...def } = current._zod.def as {
      type: string;
      shape?: Record<string, typeof current>;
      element?: typeof current;
      options?: readonly (typeof current)[];
    };
    const shape = options
      ? (Object.assign({}, ...options.map((option) => option._zod.def['shape'])) as typeof def.shape)
      : def.shape;
    if (key === undefined) return Object.keys(shape ?? {});
    const next = type === 'array' ? element : shape?.[key as string];
    if (!next) return [];
    current = next;
  }
  return [];
}

function parse<S extends z.ZodType>(schema: S, input: unknown, at: Path): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  return refuse(issue, { input, at, known: keysAt(schema, issue.path as Path) });
}

/** What may stand where a plugin is named. */
interface Allowed {
  readonly kind: PluginKind;
  /** A name that stands for no plugin, and takes no options. */
  readonly besides?: string;
}

/** A plugin section with its options checked and its defaults filled in, nested plugins included. */
export function checkSpec(
  registry: PluginRegistry,
  allowed: PluginKind | Allowed,
  spec: PluginSpec,
  at: Path,
): PluginSpec {
  const { kind, besides }: Allowed = typeof allowed === 'string' ? { kind: allowed } : allowed;
  const { use, ...options } = spec;
  if (use === besides) return { use, ...parse(z.strictObject({}), options, at) };
  const plugin = findPlugin(registry, { kind, besides }, use, at);
  const parsed: unknown = checkReferences(registry, plugin.options, parse(plugin.options, options, at), at);
  return { use, ...(parsed as object) };
}

function findPlugin(registry: PluginRegistry, { kind, besides }: Allowed, name: string, at: Path) {
  try {
    return registry.find(kind, name, besides);
  } catch (error) {
    if (!(error instanceof BulwarkError)) throw error;
    throw new BulwarkError(error.code, `${written([...at, 'use'])}: ${error.message}`, { cure: error.cure });
  }
}

function checkReferences(registry: PluginRegistry, schema: z.ZodType, value: unknown, at: Path): unknown {
  return findReferences(schema, value).reduce<unknown>(
    (current, { path, value: spec, ...allowed }) =>
      replaceAt(current, path, checkSpec(registry, allowed, spec as PluginSpec, [...at, ...path])),
    value,
  );
}

/** Options of a section that belong to the run, not to its plugin. */
const runLevel = { data: ['batchSize', 'accumulate', 'augment'], optimizer: ['schedule', 'clipNorm'] } as const;

/** Checks one of the two sections that mix a plugin's options with the run's own. */
function checkMixed(registry: PluginRegistry, section: 'data' | 'optimizer', config: RunConfig): unknown {
  const own = runLevel[section] as readonly string[];
  const entries = Object.entries(config[section]);
  const forPlugin = Object.fromEntries(entries.filter(([key]) => !own.includes(key))) as PluginSpec;
  const forRun = Object.fromEntries(entries.filter(([key]) => own.includes(key)));
  return { ...checkSpec(registry, section, forPlugin, [section]), ...forRun };
}

/**
 * Checks a whole config before any data is read: keys, types, ranges, plugins and their options, at any depth.
 * @returns the config with all defaults filled in; composing it again gives the same
 * @throws BulwarkError CONFIG_INVALID or PLUGIN_UNKNOWN, naming the path, the value and what is allowed
 */
export function checkConfig(input: unknown, registry: PluginRegistry): RunConfig {
  const config = parse(runConfigSchema, input, []);
  const mixed = { data: checkMixed(registry, 'data', config), optimizer: checkMixed(registry, 'optimizer', config) };
  const checked = checkReferences(registry, runConfigSchema, { ...config, ...mixed }, []) as RunConfig;
  const { norm } = checked.threat;
  for (const length of lengthsIn(registry, runConfigSchema, checked, []))
    refuseBytes(length, { norm: length.norm ?? norm });
  return checked;
}

/** All lengths in pixel values of a checked section, those of plugins within included. */
function lengthsIn(registry: PluginRegistry, schema: z.ZodType, value: unknown, at: Path): WrittenLength[] {
  const own = findLengths(schema, value).map(({ path, value: length, norm }) => ({
    name: written([...at, ...path]),
    value: length as number,
    ...(norm && { norm }),
  }));
  const theirs = findReferences(schema, value).flatMap(({ kind, besides, path, value: spec }) => {
    const { use, ...options } = spec as PluginSpec;
    return use === besides ? [] : lengthsIn(registry, registry.find(kind, use).options, options, [...at, ...path]);
  });
  return [...own, ...theirs];
}

/** The lengths of one plugin's options, those of plugins within it left to them. */
export const lengthsOf = (schema: z.ZodType, options: unknown, use: string): WrittenLength[] =>
  findLengths(schema, options).map(({ path, value, norm }) => ({
    name: `${written(path)} of ${use}`,
    value: value as number,
    ...(norm && { norm }),
  }));

/** The plugin's part of a mixed section. */
export function pluginPart(section: 'data' | 'optimizer', config: RunConfig): PluginSpec {
  const own = runLevel[section] as readonly string[];
  return Object.fromEntries(Object.entries(config[section]).filter(([key]) => !own.includes(key))) as PluginSpec;
}
