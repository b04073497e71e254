import type { z } from 'zod';
import { pluginReferences, type PluginKind } from '../plugins/index.js';

type AnySchema = z.ZodType & { _zod: { def: Record<string, unknown> & { type: string } } };

/** A reference to another plugin somewhere inside parsed options. */
export interface FoundReference {
  readonly kind: PluginKind;
  /** A name that stands for no plugin. */
  readonly besides?: string;
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

/** All places in `value` where `schema` says that a plugin is named, with their paths. */
export function findReferences(
  schema: z.ZodType,
  value: unknown,
  path: readonly (string | number)[] = [],
): FoundReference[] {
  if (value === undefined || value === null) return [];
  const reference = pluginReferences.get(schema as never);
  if (reference) return [{ ...reference, path, value }];
  const { def } = (schema as AnySchema)._zod;
  switch (def.type) {
    case 'optional':
    case 'default':
    case 'prefault':
    case 'nullable':
    case 'readonly':
      return findReferences(def['innerType'] as z.ZodType, value, path);
    case 'pipe':
      return findReferences(def['out'] as z.ZodType, value, path);
    case 'array':
      return (value as unknown[]).flatMap((item, i) => findReferences(def['element'] as z.ZodType, item, [...path, i]));
    case 'object':
      return Object.entries(def['shape'] as Record<string, z.ZodType>).flatMap(([key, entry]) =>
        findReferences(entry, (value as Record<string, unknown>)[key], [...path, key]),
      );
    default:
      return [];
  }
}

/** A copy of `value` with `replacement` at `path`. */
export function replaceAt(value: unknown, path: readonly (string | number)[], replacement: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
  copy[key] = replaceAt(copy[key], rest, replacement);
  return copy;
}
