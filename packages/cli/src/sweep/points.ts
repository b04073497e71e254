import { BulwarkError, createRandom, type Random } from '@bulwark/core';
import { digestOf } from '@bulwark/core/files';
import type { Json, Search } from './sweep-file.js';

/** One setting that a sweep tries: values by path, with a name for files and tables. */
export interface Point {
  readonly name: string;
  readonly values: Readonly<Record<string, Json>>;
}

type Over = Extract<Search, { use: 'random' }>['over'];

const combinations = (over: Readonly<Record<string, readonly Json[]>>): Record<string, Json>[] =>
  Object.entries(over).reduce<Record<string, Json>[]>(
    (all, [path, values]) => all.flatMap((point) => values.map((value) => ({ ...point, [path]: value }))),
    [{}],
  );

function draw(space: Over[string], random: Random): Json {
  if (Array.isArray(space)) return space[random.integer(space.length)]!;
  const { from, to, scale, integer } = space;
  const share = random.next();
  // whole numbers are drawn from intervals of equal length around them
  const [low, high] = integer ? [from - 0.5, to + 0.5] : [from, to];
  const value =
    scale === 'log' ? Math.exp(Math.log(low) + (Math.log(high) - Math.log(low)) * share) : low + (high - low) * share;
  // four digits: enough for any setting, and short in names and tables
  return integer ? Math.min(to, Math.max(from, Math.round(value))) : Number(value.toPrecision(4));
}

/** Draws points; those that coincide count once. */
function draws({ samples, seed, over }: { samples: number; seed: number; over: Over }): Record<string, Json>[] {
  const random = createRandom(seed, 'sweep');
  return Array.from({ length: samples }, () =>
    Object.fromEntries(Object.entries(over).map(([path, space]) => [path, draw(space, random)])),
  );
}

/** A value as a part of a file name: a plugin by its name. */
function short(value: Json): string {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && typeof value['use'] === 'string')
    return value['use'];
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/[^\w.+-]+/g, '-').replace(/^-|-$/g, '');
}

/** The last words of paths, with the one before where two paths would look the same. */
function shortPaths(paths: readonly string[]): Map<string, string> {
  const last = (path: string, words: number) => path.split('.').slice(-words).join('.');
  const clash = (path: string) => paths.filter((other) => last(other, 1) === last(path, 1)).length > 1;
  return new Map(paths.map((path) => [path, last(path, clash(path) ? 2 : 1)]));
}

/** Names that differ, are file names, and say what is set, where that is short enough. */
function named(points: readonly Readonly<Record<string, Json>>[]): Point[] {
  const paths = shortPaths([...new Set(points.flatMap((point) => Object.keys(point)))]);
  const spoken = points.map((values) =>
    Object.entries(values)
      .map(([path, value]) => `${paths.get(path)}-${short(value)}`)
      .join('_'),
  );
  const width = String(points.length).length;
  return points.map((values, i) => {
    const good = /^[\w.-]{1,60}$/.test(spoken[i]!) && spoken.filter((name) => name === spoken[i]).length === 1;
    return { name: good ? spoken[i]! : `point-${String(i + 1).padStart(width, '0')}`, values };
  });
}

/** The points of a search, in an order that no machine changes. @throws BulwarkError CONFIG_INVALID */
export function pointsOf(search: Search): Point[] {
  const all = search.use === 'grid' ? combinations(search.over) : search.use === 'list' ? search.points : draws(search);
  const distinct = [...new Map(all.map((values) => [digestOf(values), values])).values()];
  for (const path of distinct.flatMap((values) => Object.keys(values)))
    if (path === 'seed' || path === 'name' || (search.use === 'halving' && path === 'epochs'))
      throw new BulwarkError('CONFIG_INVALID', `search: ${path} is not for points`, {
        hint: path === 'seed' ? 'write seeds: 1..3 beside search' : 'leave it out: the sweep sets it',
      });
  return named(distinct);
}
