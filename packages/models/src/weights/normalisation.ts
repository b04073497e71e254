import type { InputNormalisation } from '@bulwark/core';
import type { FlatTensors } from './tree.js';

/** Mean and standard deviation that lie together in a file. */
export interface FoundNormalisation extends InputNormalisation {
  /** Path of what they lie in. */
  readonly at: string;
  /** Their own paths. */
  readonly names: readonly string[];
}

const mean = /^(?:\w*_)?(?:mean|means|mu)$/i;
const deviation = /^(?:\w*_)?(?:std|stds|stdev|sigma)$/i;
/** BatchNorm's statistics, which are no normalisation of images. */
const running = /^(?:running|moving)_/i;

const split = (path: string): [parent: string, last: string] => {
  const at = path.lastIndexOf('.');
  return at < 0 ? ['', path] : [path.slice(0, at), path.slice(at + 1)];
};

const isMean = (last: string) => mean.test(last) && !running.test(last);
const isDeviation = (last: string) => deviation.test(last) && !running.test(last);

/** Small floating tensors, and lists of numbers with a plain name: one number, or one for each channel. */
function smallValues({ tensors, numbers }: FlatTensors): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const [name, values] of numbers)
    if (values.length <= 4 && /(?:^|\.)(?:mean|std|mu|sigma)$/i.test(name)) found.set(name, values);
  for (const [name, tensor] of tensors) {
    const count = tensor.shape.reduce((size, n) => size * n, 1);
    if (tensor.dtype === 'F32' && count >= 1 && count <= 4) found.set(name, Array.from(tensor.data, Number));
  }
  return found;
}

/** All normalisations in a file, by the names that wrappers give them: `mean` and `std`, `mu` and `sigma`, `new_mean`, ... */
export function normalisationsIn(flat: FlatTensors): FoundNormalisation[] {
  const groups = new Map<string, { mean?: [string, readonly number[]]; std?: [string, readonly number[]] }>();
  for (const [name, values] of smallValues(flat)) {
    const [at, last] = split(name);
    if (!isMean(last) && !isDeviation(last)) continue;
    const group = groups.get(at) ?? {};
    groups.set(at, group);
    group[isMean(last) ? 'mean' : 'std'] ??= [name, values];
  }
  return [...groups].flatMap(([at, group]) => {
    const names = [group.mean, group.std].flatMap((named) => (named ? [named[0]] : []));
    // one tensor alone does half of it; a list of numbers alone is something else
    if (names.length === 1 && !flat.tensors.has(names[0]!)) return [];
    const count = (group.mean ?? group.std)![1].length;
    const { mean: [, means] = ['', Array<number>(count).fill(0)], std: [, stds] = ['', Array<number>(count).fill(1)] } =
      group;
    return means.length === stds.length && stds.every((value) => value > 0)
      ? [{ at, mean: means, std: stds, names }]
      : [];
  });
}

const parts = (path: string) => (path === '' ? [] : path.split('.'));

/**
 * The normalisation that belongs to the network under a prefix: beside it, above it, or in a module next to one of those that holds nothing
 * else. Undefined if there is none.
 */
export function normalisationFor(flat: FlatTensors, prefix: string): FoundNormalisation | undefined {
  const own = parts(prefix.replace(/\.$/, ''));
  const isSmall = (path: string) =>
    [...flat.tensors].every(
      ([name, { shape }]) => !name.startsWith(`${path}.`) || shape.reduce((size, n) => size * n, 1) <= 4,
    );
  const ranked = normalisationsIn(flat).flatMap((found) => {
    const theirs = parts(found.at);
    let shared = 0;
    while (shared < own.length && shared < theirs.length && own[shared] === theirs[shared]) shared++;
    const belongs = shared === theirs.length || isSmall(theirs.slice(0, shared + 1).join('.'));
    return belongs ? [{ found, shared }] : [];
  });
  return ranked.sort((a, b) => b.shared - a.shared)[0]?.found;
}

/** Numbers for images in [0, 255], as those for images in [0, 1]: a mean above 1 is of bytes. */
export function inUnits(given: InputNormalisation | null): InputNormalisation | null {
  if (!given?.mean.some((value) => value > 1)) return given;
  return { mean: given.mean.map((value) => value / 255), std: given.std.map((value) => value / 255) };
}

const close = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((value, i) => Math.abs(value - b[i]!) < 1e-5);

/** Do both compute the same? One number stands for all channels; mean 0 and standard deviation 1 are nothing. */
export function sameNormalisation(
  a: InputNormalisation | null,
  b: InputNormalisation | null,
  channels: number,
): boolean {
  const [one, other] = [a, b].map(inUnits).map((given) => {
    const wide = (values: readonly number[]) =>
      values.length === 1 ? Array<number>(channels).fill(values[0]!) : values;
    return { mean: wide(given?.mean ?? [0]), std: wide(given?.std ?? [1]) };
  }) as [InputNormalisation, InputNormalisation];
  return close(one.mean, other.mean) && close(one.std, other.std);
}

/** The one normalisation of a file; undefined if it has none, one that does nothing or counts in bytes, or several that differ. */
export function onlyNormalisation(flat: FlatTensors): InputNormalisation | undefined {
  const [first, ...others] = normalisationsIn(flat);
  if (!first || inUnits(first) !== first || sameNormalisation(first, null, first.mean.length)) return undefined;
  if (!others.every((other) => sameNormalisation(first, other, first.mean.length))) return undefined;
  const exact = (values: readonly number[]) => values.map((value) => Number(value.toPrecision(7)));
  return { mean: exact(first.mean), std: exact(first.std) };
}
