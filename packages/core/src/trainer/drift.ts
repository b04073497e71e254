import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { exchangeTexts, type Collective } from '../collective/index.js';
import { BulwarkError } from '../errors.js';
import { snapshotOfFirst } from './ranks.js';
import { restoreSnapshot, type Snapshot } from './snapshot.js';
import type { TrainerParts } from './trainer-parts.js';

/** Of a tensor's largest value: rounding does not come so far, since all ranks apply the same sums of gradients. */
const mostByRounding = 1e-3;
/** Tensors whose values are all smaller than this are taken to be as large. */
const smallest = 1e-3;

/** A digest as two numbers that float32 holds exactly. */
function digest(bytes: Uint8Array): [number, number] {
  const sum = createHash('sha256').update(bytes).digest();
  return [sum.readUIntBE(0, 3), sum.readUIntBE(3, 3)];
}

/** What two ranks that agree have alike: a digest of every tensor, and one of all else. */
const digests = ({ state, tensors }: Snapshot): Float32Array =>
  Float32Array.from(
    [
      ...[...tensors.values()].map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
      new TextEncoder().encode(JSON.stringify(state)),
    ].flatMap(digest),
  );

/** Numbers, texts and flags within JSON, by path. */
function leavesOf(value: unknown, path: string): [path: string, leaf: unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, part]) => leavesOf(part, `${path}.${key}`));
}

interface Apart {
  /** The first tensor, or part of the state, that differs. */
  readonly name: string;
  /** The largest difference of all, as a share of the largest value beside it; Infinity where they cannot be compared. */
  readonly by: number;
}

/** Where a snapshot is not another one; undefined if it is the same. */
export function apartFrom(first: Snapshot, own: Snapshot): Apart | undefined {
  let found: Apart | undefined;
  const add = (name: string, by: number) =>
    void (found = { name: found?.name ?? name, by: Math.max(found?.by ?? 0, by) });
  for (const [name, { data }] of first.tensors) {
    const other = own.tensors.get(name)?.data;
    if (other?.length !== data.length) add(name, Infinity);
    else if (data.some((value, i) => !Object.is(value, other[i]))) add(name, differenceOf(data, other));
  }
  // by way of JSON, as the other one has come here
  const stateOf = ({ state }: Snapshot) => leavesOf(JSON.parse(JSON.stringify(state)), 'state');
  const others = new Map(stateOf(own));
  for (const [name, leaf] of stateOf(first)) {
    const other = others.get(name);
    others.delete(name);
    if (Object.is(leaf, other)) continue;
    const numbers = typeof leaf === 'number' && typeof other === 'number';
    add(name, numbers ? differenceOf([leaf], [other]) : Infinity);
  }
  for (const name of others.keys()) add(name, Infinity);
  return found;
}

function differenceOf(first: ArrayLike<number>, own: ArrayLike<number>): number {
  let [largest, most] = [smallest, 0];
  for (let i = 0; i < first.length; i++) {
    if (Object.is(first[i], own[i])) continue;
    const by = Math.abs(first[i]! - own[i]!);
    if (Number.isNaN(by)) return Infinity;
    most = Math.max(most, by);
    largest = Math.max(largest, Math.abs(first[i]!));
  }
  return most / largest;
}

/**
 * Compares what the ranks have come to. Where machines round differently their weights drift apart a little: then all go on from rank 0's,
 * and the user hears of it.
 * @returns the snapshot that all go on from
 * @throws BulwarkError RANKS_DIFFER on all ranks, where they are further apart than rounding could bring them
 */
export function agreeing(
  collective: Collective,
  snapshot: Snapshot,
  parts: Pick<TrainerParts, 'model' | 'optimizer' | 'objective' | 'average' | 'bus'>,
): Snapshot {
  const all = collective.allGather(digests(snapshot)).map((each) => each.join());
  if (all.every((each) => each === all[0])) return snapshot;
  const first = snapshotOfFirst(collective, snapshot)!;
  const own = apartFrom(first, snapshot);
  // as text, since JSON has no Infinity
  const told = exchangeTexts(collective, own ? JSON.stringify([hostname(), own.name, String(own.by)]) : '');
  const apart = told.flatMap((text, rank) => {
    if (text === '') return [];
    const [host, name, by] = JSON.parse(text) as [string, string, string];
    return [{ rank: `rank ${rank} on ${host}`, name, by: Number(by) }];
  });
  const who = apart.map(({ rank }) => rank).join(', ');
  const most = apart.reduce((found, { by }) => Math.max(found, by), 0);
  const what = `${who} ${apart.length > 1 ? 'have' : 'has'} come to another state than rank 0, first in ${apart[0]!.name}`;
  if (most > mostByRounding)
    throw new BulwarkError(
      'RANKS_DIFFER',
      `${what}, by ${Number.isFinite(most) ? most.toPrecision(2) : 'more than a number'} of the largest value`,
      {
        hint: 'rounding does not come so far: look for a plugin that draws numbers or keeps a state of its own, and for weights that are another file there',
      },
    );
  if (collective.rank > 0) restoreSnapshot(first, parts);
  const message = `${what}, by ${most.toPrecision(2)} of the largest value, as machines that round differently do; all go on from rank 0's`;
  parts.bus.emit('warning', { message });
  return first;
}
