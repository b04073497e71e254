import type { z } from 'zod';
import { normNames, type NormName } from '../threat/index.js';
import { pixelLengths, pluginReferences, type PluginKind } from '../plugins/index.js';

type AnySchema = z.ZodType & { _zod: { def: Record<string, unknown> & { type: string } } };

type Path = readonly (string | number)[];

/** A reference to another plugin somewhere inside parsed options. */
export interface FoundReference {
  readonly kind: PluginKind;
  /** A name that stands for no plugin. */
  readonly besides?: string;
  readonly path: Path;
  readonly value: unknown;
}

/** All places in `value` where `schema` says that a plugin is named, with their paths. */
export const findReferences = (schema: z.ZodType, value: unknown): FoundReference[] =>
  findMarked((part) => pluginReferences.get(part as never), { schema, value, path: [] }).map(({ mark, ...place }) => ({
    ...mark,
    ...place,
  }));

/** All lengths in pixel values, likewise; `norm` where they have one of their own, and not that of the threat model. */
export const findLengths = (schema: z.ZodType, value: unknown): { path: Path; value: unknown; norm?: NormName }[] =>
  findMarked((part) => pixelLengths.get(part as never), { schema, value, path: [] }).map(({ path, value: length }) => {
    const norm = ownNorm(value, path);
    return { path, value: length, ...(norm && { norm }) };
  });

/** Of `l2: { epsilon }` and of `{ norm: l2, epsilon }`. */
function ownNorm(value: unknown, path: Path): NormName | undefined {
  const beside = path.slice(0, -1).reduce((part, key) => (part as Record<string | number, unknown>)[key], value);
  const named = [path.at(-2), (beside as { norm?: unknown }).norm];
  return path.length > 1 ? normNames.find((norm) => named.includes(norm)) : undefined;
}

/** All places in a value whose schema has a mark. */
function findMarked<Mark>(
  markOf: (schema: z.ZodType) => Mark | undefined,
  { schema, value, path }: { schema: z.ZodType; value: unknown; path: Path },
): { mark: Mark; path: Path; value: unknown }[] {
  if (value === undefined || value === null) return [];
  const mark = markOf(schema);
  if (mark) return [{ mark, path, value }];
  const within = (inner: unknown, part: unknown, at: Path) =>
    findMarked(markOf, { schema: inner as z.ZodType, value: part, path: at });
  const { def } = (schema as AnySchema)._zod;
  switch (def.type) {
    case 'optional':
    case 'default':
    case 'prefault':
    case 'nullable':
    case 'readonly':
      return within(def['innerType'], value, path);
    case 'pipe':
      return within(def['out'], value, path);
    case 'array':
      return (value as unknown[]).flatMap((item, i) => within(def['element'], item, [...path, i]));
    case 'object':
      return Object.entries(def['shape'] as Record<string, z.ZodType>).flatMap(([key, entry]) =>
        within(entry, (value as Record<string, unknown>)[key], [...path, key]),
      );
    default:
      return [];
  }
}

/** A copy of `value` with `replacement` at `path`. */
export function replaceAt(value: unknown, path: Path, replacement: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
  copy[key] = replaceAt(copy[key], rest, replacement);
  return copy;
}
