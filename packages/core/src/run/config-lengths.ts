import type { z } from 'zod';
import { placeOf, type Path } from '../files/index.js';
import type { PluginRegistry, PluginSpec } from '../plugins/index.js';
import type { WrittenLength } from '../threat/index.js';
import { findLengths, findReferences } from './schema-walk.js';

/** All lengths in pixel values of a section, those of plugins within included; what does not fit has none. */
export function lengthsIn(registry: PluginRegistry, schema: z.ZodType, value: unknown, at: Path): WrittenLength[] {
  const own = findLengths(schema, value).map(({ path, value: length, norm }) => ({
    name: placeOf([...at, ...path]),
    value: length as number,
    ...(norm && { norm }),
  }));
  const theirs = findReferences(schema, value).flatMap(({ kind, besides, path, value: spec }) => {
    const { use, ...options } = spec as PluginSpec;
    const plugin = registry.list(kind).find(({ name }) => name === use && name !== besides);
    return plugin ? lengthsIn(registry, plugin.options, options, [...at, ...path]) : [];
  });
  return [...own.filter(({ value: length }) => typeof length === 'number'), ...theirs];
}

/** The lengths of one plugin's options, those of plugins within it left to them. */
export const lengthsOf = (schema: z.ZodType, options: unknown, use: string): WrittenLength[] =>
  findLengths(schema, options).map(({ path, value, norm }) => ({
    name: `${placeOf(path)} of ${use}`,
    value: value as number,
    ...(norm && { norm }),
  }));
