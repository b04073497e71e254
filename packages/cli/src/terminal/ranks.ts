import type { Collective } from '@bulwark/core';

/** Which of several processes this one is, from the moment that it is known; the collective, once there is one. */
interface OwnRank {
  readonly rank: number;
  /** True while whatever fails fails on all ranks alike, so that rank 0's word is enough. */
  readonly alike?: boolean;
  readonly collective?: Collective;
}

let own: OwnRank | undefined;

/** Says that this process is one of several. */
export const setOwnRank = (rank: OwnRank): void => void (own = rank);

/** Undefined for a process that is alone. */
export const ownRank = (): OwnRank | undefined => own;

/** How long ranks above 0 leave the word to those below, which may have failed of the same cause and then end all. */
const deference = (rank: number): number => (rank === 0 ? 0 : 2500 + 500 * Math.min(rank, 8));

/** Blocks until those who may know better have had their time; they end this process with theirs. */
export function deferToLowerRanks(): void {
  if (own && own.rank > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, deference(own.rank));
}
