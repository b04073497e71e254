import { z } from 'zod';
import { BulwarkError, type ErrorCode } from '../errors.js';
import { expectedOf, placeOf, shown, valueAt, type Path } from '../files/index.js';
import type { PluginKind, PluginRegistry, PluginSpec } from '../plugins/index.js';
import { nearest } from '../plugins/index.js';
import { runConfigSchema, threatSection, type RunConfig } from './config.js';
import { refuseBytes, type WrittenLength } from '../threat/index.js';
import { findLengths, findReferences, replaceAt } from './schema-walk.js';

/** What each section that a config must have may look like; together they are a whole config. */
const examples: Readonly<Record<string, string>> = {
  data: 'data: { use: fashion-mnist-mini }',
  model: 'model: small-cnn',
  threat: 'threat: { norm: linf, epsilon: 8/255 }',
  objective: 'objective: trades',
  epochs: 'epochs: 10',
};

/** Something that is wrong in a config, and what to do about it. */
interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** One sentence for each thing that a failed parse found: path, value received, what is allowed, nearest valid name. */
function problemsOf(
  issue: z.core.$ZodIssue,
  context: { input: unknown; at: Path; known: readonly string[] },
): Problem[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const near = nearest(key, context.known);
      return {
        code: 'CONFIG_INVALID',
        message: `${placeOf([...context.at, ...path, key])} is not an option here; known: ${context.known.join(', ') || 'none'}`,
        hint: near ? `did you mean ${near}?` : 'remove it',
      };
    });
  const value = valueAt(context.input, path);
  const place = placeOf([...context.at, ...path]) || 'the config';
  const example = Object.hasOwn(examples, place) ? `, for example: ${examples[place]}` : '';
  const missing = value === undefined || (value === null && example);
  const message = missing
    ? `${place} is missing: ${expectedOf(issue)}`
    : `${place} is ${shown(value)}: ${expectedOf(issue)}`;
  const name = place.endsWith('.use') ? ': the name of a plugin, which `bulwark plugins` lists' : '';
  const hint = missing ? `add ${place}${name}${example}` : `set ${place} to an allowed value${example}`;
  return [{ code: 'CONFIG_INVALID', message, hint }];
}

/** One error for all that is wrong. @throws BulwarkError, unless nothing is */
function refuse(problems: readonly Problem[]): void {
  const [first, ...others] = problems;
  if (!first) return;
  if (others.length === 0) throw new BulwarkError(first.code, first.message, { hint: first.hint });
  const lines = problems.map(({ message, hint }) => `- ${message}${hint ? `\n    ${hint}` : ''}`);
  throw new BulwarkError('CONFIG_INVALID', `the config has ${problems.length} mistakes:\n${lines.join('\n')}`, {
    hint: 'correct them all; `bulwark plugins <name>` lists the options of a plugin',
  });
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

/** A copy without what stands at a path; with `keys`, without these keys of it. */
function without(value: unknown, path: Path, keys?: readonly string[]): unknown {
  const [key, ...rest] = path;
  const left = (dropped: readonly (string | number)[]) =>
    Object.fromEntries(Object.entries(value as object).filter(([name]) => !dropped.includes(name)));
  if (key === undefined) return keys ? left(keys) : undefined;
  if (rest.length === 0 && !keys && !Array.isArray(value)) return left([key]);
  return replaceAt(value, [key], without((value as Record<string | number, unknown>)[key], rest, keys));
}

/**
 * Parses, noting all that is wrong: what is refused is left out, so that its default takes its place, until the rest fits.
 * @returns undefined if it never does
 */
function parse(schema: z.ZodType, given: unknown, place: { at: Path; problems: Problem[] }): unknown {
  const noted = new Set<string>();
  for (let input = given; ;) {
    const result = schema.safeParse(input);
    if (result.success) return result.data;
    let next = input;
    for (const issue of result.error.issues) {
      const path = issue.path as Path;
      const known = keysAt(schema, path);
      const fresh = problemsOf(issue, { input: given, at: place.at, known }).filter(
        ({ message }) => !noted.has(message),
      );
      fresh.forEach(({ message }) => noted.add(message));
      const there = valueAt(input, path) !== undefined;
      // what is missing because it was left out is no mistake of its own
      if (there || valueAt(given, path) === undefined) place.problems.push(...fresh);
      if (issue.code === 'unrecognized_keys') next = without(next, path, issue.keys);
      else if (there && path.length > 0) next = without(next, path);
    }
    if (next === input) return undefined;
    input = next;
  }
}

/** What may stand where a plugin is named. */
interface Allowed {
  readonly kind: PluginKind;
  /** A name that stands for no plugin, and takes no options. */
  readonly besides?: string;
}

/**
 * A plugin section with its options checked and its defaults filled in, nested plugins included.
 * @throws BulwarkError CONFIG_INVALID or PLUGIN_UNKNOWN, with all that is wrong
 */
export function checkSpec(
  registry: PluginRegistry,
  allowed: PluginKind | Allowed,
  spec: PluginSpec,
  at: Path,
): PluginSpec {
  const problems: Problem[] = [];
  const checked = checkedSpec(registry, typeof allowed === 'string' ? { kind: allowed } : allowed, spec, {
    at,
    problems,
  });
  refuse(problems);
  return checked!;
}

function checkedSpec(
  registry: PluginRegistry,
  { kind, besides }: Allowed,
  spec: PluginSpec,
  place: { at: Path; problems: Problem[] },
): PluginSpec | undefined {
  const { use, ...options } = spec;
  if (use === besides) {
    parse(z.strictObject({}), options, place);
    return { use };
  }
  const plugin = findPlugin(registry, { kind, besides }, use, place);
  const parsed = plugin && parse(plugin.options, options, place);
  if (parsed === undefined) return undefined;
  return { use, ...(checkReferences(registry, plugin!.options, parsed, place) as object) };
}

function findPlugin(
  registry: PluginRegistry,
  { kind, besides }: Allowed,
  name: string,
  { at, problems }: { at: Path; problems: Problem[] },
) {
  try {
    return registry.find(kind, name, besides);
  } catch (error) {
    if (!(error instanceof BulwarkError)) throw error;
    const { code, message, hint } = error;
    problems.push({ code, message: `${placeOf([...at, 'use'])}: ${message}`, hint });
    return undefined;
  }
}

function checkReferences(
  registry: PluginRegistry,
  schema: z.ZodType,
  value: unknown,
  { at, problems }: { at: Path; problems: Problem[] },
): unknown {
  return findReferences(schema, value).reduce<unknown>((current, { path, value: spec, ...allowed }) => {
    const checked = checkedSpec(registry, allowed, spec as PluginSpec, { at: [...at, ...path], problems });
    return checked ? replaceAt(current, path, checked) : current;
  }, value);
}

/** Options of a section that belong to the run, not to its plugin. */
const runLevel = { data: ['batchSize', 'accumulate', 'augment'], optimizer: ['schedule', 'clipNorm'] } as const;

/** Checks the plugin of one of the two sections that mix a plugin's options with the run's own. */
function checkMixed(
  registry: PluginRegistry,
  section: 'data' | 'optimizer',
  config: Partial<RunConfig>,
  problems: Problem[],
): unknown {
  const given = config[section];
  if (!given) return undefined;
  const own = runLevel[section] as readonly string[];
  const entries = Object.entries(given);
  const forPlugin = Object.fromEntries(entries.filter(([key]) => !own.includes(key))) as PluginSpec;
  const forRun = Object.fromEntries(entries.filter(([key]) => own.includes(key)));
  return { ...checkedSpec(registry, { kind: section }, forPlugin, { at: [section], problems }), ...forRun };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every section of its own, so that one that cannot be read hides nothing of the others. */
/** A list of threat models as what it stands for: the first is that of training, all others are measured besides. */
function withThreats(input: Record<string, unknown>, problems: Problem[]): Record<string, unknown> {
  const { threat, evaluation, ...rest } = input;
  const listed = threat as readonly unknown[];
  const parsed = listed.map((each, i) => parse(threatSection, each, { at: ['threat', i], problems }));
  const refused = (message: string, hint: string) => problems.push({ code: 'CONFIG_INVALID', message, hint });
  if (listed.length === 0)
    refused('threat is an empty list', 'give one threat model, or several: [{ norm: linf, epsilon: 8/255 }, ...]');
  if (isObject(evaluation) && evaluation['threats'] !== undefined)
    refused('threat is a list, and evaluation.threats is given, too', 'write all threat models into threat');
  const [first, ...others] = parsed;
  // what was wrong with an entry is said already
  const whole = parsed.every((each) => each !== undefined) && first !== undefined;
  return {
    ...rest,
    threat: whole ? first : { norm: 'linf', epsilon: 0 },
    evaluation: others.length > 0 && whole ? { ...(evaluation as object), threats: others } : evaluation,
  };
}

/** @throws BulwarkError CONFIG_INVALID where two threat models have one norm: a curve over radii is another thing */
function checkThreats({ threat, evaluation }: RunConfig): void {
  const all = [threat, ...(evaluation.threats ?? [])].map(({ norm }) => norm);
  const twice = all.find((norm, i) => all.indexOf(norm) !== i);
  if (twice !== undefined)
    throw new BulwarkError('CONFIG_INVALID', `threat names ${twice} twice`, {
      hint: 'give one radius for each norm; `bulwark evaluate --epsilons` makes a curve over radii',
    });
}

function parseSections(input: unknown, problems: Problem[]): Partial<RunConfig> {
  const { shape } = runConfigSchema;
  if (!isObject(input)) {
    parse(runConfigSchema, input, { at: [], problems });
    return {};
  }
  if (Array.isArray(input['threat'])) return parseSections(withThreats(input, problems), problems);
  const strange = Object.fromEntries(Object.entries(input).filter(([key]) => !Object.hasOwn(shape, key)));
  for (const issue of z.strictObject({}).safeParse(strange).error?.issues ?? [])
    problems.push(...problemsOf(issue, { input, at: [], known: Object.keys(shape) }));
  const sections = Object.entries(shape).map(([key, schema]) => [
    key,
    parse(schema, input[key], { at: [key], problems }),
  ]);
  return Object.fromEntries(sections.filter(([, value]) => value !== undefined)) as Partial<RunConfig>;
}

/**
 * Checks a whole config before any data is read: keys, types, ranges, plugins and their options, at any depth.
 * @returns the config with all defaults filled in; composing it again gives the same
 * @throws BulwarkError CONFIG_INVALID or PLUGIN_UNKNOWN, naming everything that is wrong: the path, the value and what is allowed
 */
export function checkConfig(input: unknown, registry: PluginRegistry): RunConfig {
  const problems: Problem[] = [];
  const config = parseSections(input, problems);
  const mixed = {
    data: checkMixed(registry, 'data', config, problems),
    optimizer: checkMixed(registry, 'optimizer', config, problems),
  };
  const place = { at: [], problems };
  const checked = checkReferences(registry, runConfigSchema, { ...config, ...mixed }, place) as RunConfig;
  refuse(problems);
  checkThreats(checked);
  const { norm } = checked.threat;
  for (const length of lengthsIn(registry, runConfigSchema, checked, [])) {
    try {
      refuseBytes(length, { norm: length.norm ?? norm });
    } catch (error) {
      if (!(error instanceof BulwarkError)) throw error;
      problems.push({ code: error.code, message: error.message, hint: error.hint });
    }
  }
  refuse(problems);
  return checked;
}

/** All lengths in pixel values of a checked section, those of plugins within included. */
function lengthsIn(registry: PluginRegistry, schema: z.ZodType, value: unknown, at: Path): WrittenLength[] {
  const own = findLengths(schema, value).map(({ path, value: length, norm }) => ({
    name: placeOf([...at, ...path]),
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
    name: `${placeOf(path)} of ${use}`,
    value: value as number,
    ...(norm && { norm }),
  }));

/** The plugin's part of a mixed section. */
export function pluginPart(section: 'data' | 'optimizer', config: RunConfig): PluginSpec {
  const own = runLevel[section] as readonly string[];
  return Object.fromEntries(Object.entries(config[section]).filter(([key]) => !own.includes(key))) as PluginSpec;
}
