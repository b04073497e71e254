import { z } from 'zod';
import { placeOf, type Path } from '../files/index.js';
import type { PluginKind, PluginRegistry, PluginSpec } from '../plugins/index.js';
import { problemOf, refuse, type Place, type Problem } from './config-problems.js';
import { findReferences, replaceAt, withDerivedSteps } from './schema-walk.js';
import { parse } from './tolerant-parse.js';

/** What may stand where a plugin is named. */
export interface Allowed {
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

/** The same, noting what is wrong instead; undefined if it never fits. */
export function checkedSpec(
  registry: PluginRegistry,
  { kind, besides }: Allowed,
  spec: PluginSpec,
  place: Place,
): PluginSpec | undefined {
  const { use, ...options } = spec;
  if (use === besides) {
    parse(z.strictObject({}), options, place);
    return { use };
  }
  const plugin = findPlugin(registry, { kind, besides }, use, place);
  const { plan } = place;
  const given = plugin && plan ? withDerivedSteps(plugin.options, options, plan.threat) : options;
  const parsed = plugin && parse(plugin.options, given, place);
  if (parsed === undefined) return undefined;
  return { use, ...(checkReferences(registry, plugin!.options, parsed, place) as object) };
}

function findPlugin(registry: PluginRegistry, { kind, besides }: Allowed, name: string, { at, problems }: Place) {
  try {
    return registry.find(kind, name, besides);
  } catch (error) {
    problems.push(problemOf(error, `${placeOf([...at, 'use'])}: `));
    return undefined;
  }
}

/** A value with the plugins that it names checked, as its schema says where they stand. */
export function checkReferences(
  registry: PluginRegistry,
  schema: z.ZodType,
  value: unknown,
  { at, problems, plan }: Place,
): unknown {
  return findReferences(schema, value).reduce<unknown>((current, { path, value: spec, ...allowed }) => {
    const checked = checkedSpec(registry, allowed, spec as PluginSpec, { at: [...at, ...path], problems, plan });
    return checked ? replaceAt(current, path, checked) : current;
  }, value);
}
