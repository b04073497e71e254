import type { z } from 'zod';
import { normNames, type NormName, type ThreatModel } from '../threat/index.js';
import { derivedSteps, pixelLengths, pluginReferences, type PluginKind } from '../plugins/index.js';

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

/** A section of parsed options with the schemas of its keys. */
export interface FoundSection {
  readonly path: Path;
  readonly value: Readonly<Record<string, unknown>>;
  readonly shape: Readonly<Record<string, z.ZodType>>;
}

/** All sections of a value, itself first; what plugins within have is not looked into. */
export function findSections(schema: z.ZodType, value: unknown, path: Path = []): FoundSection[] {
  if (value === undefined || value === null || pluginReferences.get(schema as never)) return [];
  const { def } = (schema as AnySchema)._zod;
  const inner = (def['innerType'] ?? (def.type === 'pipe' ? def['out'] : undefined)) as z.ZodType | undefined;
  if (inner) return findSections(inner, value, path);
  if (def.type === 'array')
    return (value as unknown[]).flatMap((item, i) => findSections(def['element'] as z.ZodType, item, [...path, i]));
  if (def.type !== 'object') return [];
  const shape = def['shape'] as Record<string, z.ZodType>;
  const section = value as Record<string, unknown>;
  const within = Object.entries(shape).flatMap(([key, entry]) => findSections(entry, section[key], [...path, key]));
  return [{ path, value: section, shape }, ...within];
}

/** The default of an option; undefined where it has none, or is a section. */
export function defaultOf(schema: z.ZodType): unknown {
  const { def } = (schema as AnySchema)._zod;
  if (def.type === 'default') return def['defaultValue'];
  return def['innerType'] ? defaultOf(def['innerType'] as z.ZodType) : undefined;
}

/**
 * Written options with what follows from the threat model put in where nothing is written: lengths of steps in l2 and l1. Lengths in linf, and
 * what cannot be read, are left to the schema.
 */
export function withDerivedSteps(
  schema: z.ZodType,
  given: unknown,
  threat: Pick<ThreatModel, 'epsilon' | 'norm'>,
): unknown {
  const { def } = (schema as AnySchema)._zod;
  const mark = derivedSteps.get(schema as never);
  if (mark) return given === undefined && !threat.norm.perPixel ? mark.shareOfRadius * threat.epsilon : given;
  if (def.type === 'prefault') {
    const filled = withDerivedSteps(def['innerType'] as z.ZodType, given ?? def['defaultValue'], threat);
    return given === undefined && Object.keys(filled as object).length === 0 ? undefined : filled;
  }
  if (def.type !== 'object' || typeof given !== 'object' || given === null) return given;
  const filled = { ...given } as Record<string, unknown>;
  for (const [key, entry] of Object.entries(def['shape'] as Record<string, z.ZodType>)) {
    const value = withDerivedSteps(entry, filled[key], threat);
    if (value !== undefined) filled[key] = value;
  }
  return filled;
}

/** A copy of `value` with `replacement` at `path`. */
export function replaceAt(value: unknown, path: Path, replacement: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
  copy[key] = replaceAt(copy[key], rest, replacement);
  return copy;
}
