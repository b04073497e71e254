import type { z } from 'zod';
import { valueAt, type Path } from '../files/index.js';
import { problemsOf, type Place } from './config-problems.js';
import { replaceAt } from './schema-walk.js';

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
export function parse(schema: z.ZodType, given: unknown, place: Place): unknown {
  const noted = new Set<string>();
  for (let input = given; ;) {
    const result = schema.safeParse(input);
    if (result.success) return result.data;
    let next = input;
    for (const issue of result.error.issues) {
      const path = issue.path as Path;
      const known = [...keysAt(schema, path), ...(path.length === 0 ? (place.besides ?? []) : [])];
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
