import type { z } from 'zod';

/** Where a value stands in what was read: names and numbers, from the outside inwards. */
export type Path = readonly (string | number)[];

/** `layers[2].name` */
export const placeOf = (path: Path): string =>
  path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${key}` : key), '');

/** What stands at a path; undefined if nothing does. */
export const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (current, key) => (current as Record<string | number, unknown> | null | undefined)?.[key],
    value,
  );

const mostShown = 60;
/** A value as JSON, cut where it is long. */
export const shown = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text === undefined ? 'nothing' : text.length > mostShown ? `${text.slice(0, mostShown - 3)}...` : text;
};

/** Zod's names of types in words. */
const kinds: Readonly<Record<string, string>> = {
  object: 'a section',
  record: 'a section',
  array: 'a list',
  number: 'a number',
  int: 'a whole number',
  string: 'text',
  boolean: 'true or false',
};

/** What would be right in place of a value that was refused, in words: `expected a list`. */
export const expectedOf = (issue: z.core.$ZodIssue): string => {
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    // one form or another: each says what it wants of the value itself
    const wanted = issue.errors.flatMap(([first]) => (first?.path.length === 0 ? [expectedOf(first)] : []));
    const words = [...new Set(wanted.map((text) => text.replace(/^expected /, '')))];
    if (words.length > 0) return `expected ${words.join(' or ')}`;
  }
  const kind = issue.code === 'invalid_type' ? kinds[issue.expected] : undefined;
  return kind ? `expected ${kind}` : issue.message.replace(/, received undefined$/, '').replace(/^Invalid input: /, '');
};

/** One thing that is wrong: `steps is missing: expected a whole number`, `steps is "many": expected a whole number`. */
export function wrongValue(issue: z.core.$ZodIssue, given: unknown, whole = 'the whole'): string {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => placeOf([...path, key]));
    return `${keys.join(', ')} ${keys.length > 1 ? 'are not options' : 'is not an option'} here`;
  }
  const place = placeOf(path) || whole;
  const value = valueAt(given, path);
  return value === undefined
    ? `${place} is missing: ${expectedOf(issue)}`
    : `${place} is ${shown(value)}: ${expectedOf(issue)}`;
}

/** The first thing that is wrong. */
export const firstWrong = ({ issues }: z.ZodError, given: unknown, whole?: string): string =>
  wrongValue(issues[0]!, given, whole);
