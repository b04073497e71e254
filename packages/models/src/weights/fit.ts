import type { StoredTensor } from '@bulwark/core';
import type { Entry } from './layout.js';
import type { FlatTensors } from './tree.js';

/** A tensor of the file and the variable it belongs to. */
export interface Match {
  readonly entry: Entry;
  readonly tensor: StoredTensor;
}

/** A place in a file where the network may be: under a common prefix of names. */
export interface Candidate {
  /** What stands before the network's names, with its dot; empty if nothing does. */
  readonly prefix: string;
  readonly matches: readonly Match[];
  readonly missing: readonly string[];
  readonly misshapen: readonly Match[];
  /** Tensors beside the network's own that the network has no use for. */
  readonly extra: readonly string[];
}

/** A network of this architecture is there, whole and nothing else. */
export const fits = ({ missing, misshapen, extra }: Candidate): boolean =>
  missing.length + misshapen.length + extra.length === 0;

/** Prefixes under which names of the network stand, most names first. */
function prefixesOf(names: Iterable<string>, wanted: ReadonlySet<string>): string[] {
  const counts = new Map<string, number>();
  for (const name of names)
    for (let at = 0; at >= 0; at = name.indexOf('.', at) + 1 || -1)
      if (wanted.has(name.slice(at))) {
        const prefix = name.slice(0, at);
        counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
      }
  return [...counts].sort(([a, n], [b, m]) => m - n || a.length - b.length).map(([prefix]) => prefix);
}

/** Most places that are looked at closely: real files have one to five. */
const mostCandidates = 32;

/** Counters and flags, which no forward pass reads. */
const isCounter = ({ dtype, shape }: StoredTensor) => dtype !== 'F32' && shape.reduce((size, n) => size * n, 1) <= 1;

/**
 * All places of a file where the network may be, best first.
 * @param isUnused tells what this architecture's official checkpoints hold without using it, by name without prefix
 */
export function candidatesIn(
  flat: FlatTensors,
  entries: readonly Entry[],
  isUnused: (name: string, full: string) => boolean,
): Candidate[] {
  const wanted = new Set(entries.map(({ name }) => name));
  const found = prefixesOf(flat.tensors.keys(), wanted).slice(0, mostCandidates);
  const candidates = found.map((prefix): Candidate => {
    const missing: string[] = [];
    const misshapen: Match[] = [];
    const matches: Match[] = [];
    const containers = new Set<string>();
    for (const entry of entries) {
      const tensor = flat.tensors.get(prefix + entry.name);
      if (!tensor) missing.push(entry.name);
      else {
        containers.add(flat.containers.get(prefix + entry.name)!);
        if (tensor.shape.join() === entry.layout.shape.join()) matches.push({ entry, tensor });
        else misshapen.push({ entry, tensor });
      }
    }
    const extra = [...flat.tensors]
      .filter(([full, tensor]) => {
        if (!full.startsWith(prefix) || !(containers.size > 1 || containers.has(flat.containers.get(full)!)))
          return false;
        const name = full.slice(prefix.length);
        return !wanted.has(name) && !isCounter(tensor) && !isUnused(name, full);
      })
      .map(([full]) => full);
    return { prefix, matches, missing, misshapen, extra };
  });
  return ranked(candidates.map((candidate) => withoutCopies(candidate, candidates)));
}

/** Another whole copy beside a network, an average of its weights, is not a part of it. */
function withoutCopies(candidate: Candidate, all: readonly Candidate[]): Candidate {
  const copies = all.filter(
    (other) =>
      other !== candidate &&
      other.missing.length + other.misshapen.length === 0 &&
      other.prefix.length > candidate.prefix.length,
  );
  const extra = candidate.extra.filter((full) => !copies.some(({ prefix }) => full.startsWith(prefix)));
  return { ...candidate, extra };
}

function ranked(candidates: readonly Candidate[]): Candidate[] {
  const score = ({ matches, misshapen, extra }: Candidate) => 2 * matches.length + misshapen.length - extra.length;
  return candidates.toSorted((a, b) => Number(fits(b)) - Number(fits(a)) || score(b) - score(a));
}

const equalTensors = (a: StoredTensor, b: StoredTensor): boolean => {
  const [one, other] = [a.data, b.data];
  if (one === other) return true;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
};

/** Candidates that hold different values: of equal copies, the first. */
export function distinct(candidates: readonly Candidate[]): Candidate[] {
  const kept: Candidate[] = [];
  for (const candidate of candidates)
    if (
      !kept.some((other) => other.matches.every(({ tensor }, i) => equalTensors(tensor, candidate.matches[i]!.tensor)))
    )
      kept.push(candidate);
  return kept;
}

/** A prefix as a user names it: `state_dict_ema` of `state_dict_ema.module.`. */
export const placeName = ({ prefix }: Candidate): string => prefix.replace(/\.$/, '');

/** Does a candidate lie at the place that the user named, or below it? */
export const isAt = (candidate: Candidate, from: string): boolean =>
  placeName(candidate) === from || candidate.prefix.startsWith(`${from}.`);

/** The shortest beginnings by which the user can tell candidates apart. */
export function shortNames(candidates: readonly Candidate[]): string[] {
  return candidates.map((candidate) => {
    const names = placeName(candidate).split('.');
    for (let n = 1; n <= names.length; n++) {
      const short = names.slice(0, n).join('.');
      if (short !== '' && candidates.filter((other) => isAt(other, short)).length === 1) return short;
    }
    return placeName(candidate);
  });
}
