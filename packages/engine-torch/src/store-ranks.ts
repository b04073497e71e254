import { hostname } from 'node:os';
import { BulwarkError, type Collective } from '@bulwark/core';
import { exchangeTexts } from '@bulwark/core/collective';
import type { Native } from './backend/index.js';
import { firstLine } from './device.js';

/** What a collective needs of the addon. */
export type Store = Pick<Native, 'storeSet' | 'storeWait' | 'storeGet' | 'storeDelete' | 'storeClose'>;

/** Where a process stands, and how it works with the others. */
export interface StorePlace {
  readonly rank: number;
  readonly size: number;
  /** How long a rank may keep the others waiting. */
  readonly seconds: number;
  /** Keeps the keys of these ranks apart from all others in the store. */
  readonly prefix: string;
  /** Whether the store is in this process. */
  readonly serves: boolean;
  /** Whose it is, in words. */
  readonly keeper: string;
}

/** Sums of more bytes are made in two rounds, in which each rank adds up its share. */
const mostAtOnce = 1 << 15;

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
// a copy, since the addon's bytes need not begin where floats may
const floatsOf = (bytes: Uint8Array) => new Float32Array(bytes.slice().buffer);

/** Adds up in the order of ranks. */
function sumInto(values: Float32Array, [first, ...others]: readonly Float32Array[]): void {
  values.set(first!);
  for (const other of others) for (let i = 0; i < values.length; i++) values[i]! += other[i]!;
}

/**
 * Processes that speak through a store of keys and values, which one of them or their launcher has: for the few numbers of a step, and for
 * gradients where there is nothing better.
 */
export function storeCollective(store: Store, place: StorePlace): Collective {
  const { rank, size, seconds, prefix, serves, keeper } = place;
  const ranks = Array.from({ length: size }, (_, other) => other);
  const end = `${prefix}end`;
  let round = 0;
  let hosts: readonly string[] = [];
  /** Own keys that somebody may still read. */
  let mine: string[] = [];

  const asked = <T>(question: () => T): T => {
    try {
      return question();
    } catch (cause) {
      throw new BulwarkError('RANK_LOST', `${keeper} is gone, in whose store the ranks meet: ${firstLine(cause)}`, {
        hint: 'go on from the last checkpoint: bulwark train --resume RUN',
        cause,
      });
    }
  };
  /** What is done on the way out, where it matters no more whether the others are there. */
  const tried = (work: () => void) => {
    try {
      work();
    } catch {
      // the store is gone, and they are, too
    }
  };
  const put = (key: string, bytes: Uint8Array) => {
    asked(() => store.storeSet(key, bytes));
    mine.push(key);
  };
  const nameOf = (other: number) => `${other}${hosts[other] ? ` on ${hosts[other]}` : ''}`;
  /** Values of keys, each of which a rank sets. */
  const take = (keys: readonly string[], from: readonly number[]): Uint8Array[] => {
    const began = performance.now();
    const missing = asked(() => store.storeWait(keys, seconds, end));
    if (missing[0] === -1) follow();
    if (missing.length === 0) return asked(() => store.storeGet(keys));
    const who = missing.map((at) => nameOf(from[at]!));
    throw new BulwarkError(
      'RANK_LOST',
      `${who.length === 1 ? `rank ${who[0]} has` : `ranks ${who.join(', ')} have`} not answered for ${Math.round((performance.now() - began) / 1000)} s`,
      { hint: 'see whether it still runs; --rank-timeout lets the others wait longer' },
    );
  };
  /** The store goes with its process, which therefore waits a little for those who have yet to read from it. */
  const leave = () => {
    const left = (other: number) => `${prefix}left/${other}`;
    if (!serves) tried(() => store.storeSet(left(rank), Uint8Array.of(1)));
    else store.storeWait(ranks.filter((other) => other !== rank).map(left), 8, `${prefix}never`); // prettier-ignore
  };
  /** Ends as the rank that has ended all. */
  const follow = (): never => {
    let code = 1;
    tried(() => void (code = store.storeGet([end])[0]![0]!));
    leave();
    return process.exit(code);
  };
  /** Shows own bytes to all, and sees theirs. */
  const meet = (own: Uint8Array): Uint8Array[] => {
    const keys = ranks.map((other) => `${prefix}${round}/${other}`);
    round++;
    const read = mine;
    mine = [];
    put(keys[rank]!, own);
    const found = take(keys, ranks);
    // all have come here, so nobody reads what was shown before
    asked(() => store.storeDelete(read));
    return found;
  };
  const reduceByShares = (values: Float32Array) => {
    const share = Math.ceil(values.length / size);
    const partOf = (other: number) => values.subarray(share * other, share * (other + 1));
    const key = (from: number, to: number) => `${prefix}${round}/${from}/${to}`;
    for (const other of ranks) put(key(rank, other), bytesOf(partOf(other)));
    const parts = take(ranks.map((other) => key(other, rank)), ranks); // prettier-ignore
    round++;
    const own = new Float32Array(partOf(rank).length);
    sumInto(own, parts.map(floatsOf));
    meet(bytesOf(own)).forEach((sum, other) => partOf(other).set(floatsOf(sum)));
  };

  const collective: Collective = {
    ...{ rank, size, seconds },
    allReduce(values) {
      if (values.byteLength > mostAtOnce) reduceByShares(values);
      else if (values.length > 0) sumInto(values, meet(bytesOf(values)).map(floatsOf));
    },
    allGather: (values) => meet(bytesOf(values)).map(floatsOf),
    broadcast(bytes) {
      const key = `${prefix}${round++}/0`;
      if (rank === 0) put(key, bytes);
      else bytes.set(take([key], [0])[0]!);
    },
    barrier: () => void meet(Uint8Array.of(1)),
    abort(code) {
      tried(() => store.storeSet(end, Uint8Array.of(code)));
      leave();
      process.exit(code);
    },
    hear() {
      let ended = false;
      tried(() => void (ended = store.storeWait([end], 0, `${prefix}never`).length === 0));
      if (ended) follow();
    },
    close() {
      meet(Uint8Array.of(1));
      leave();
      store.storeClose();
    },
  };
  hosts = exchangeTexts(collective, hostname());
  return collective;
}
