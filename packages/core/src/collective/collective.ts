/**
 * Processes that train together, as one of them sees the others. Every call is made by all ranks, in the same order; none waits without a
 * limit: a rank that does not come is an error (RANK_LOST).
 */
export interface Collective {
  /** Which of them this process is, from 0. Rank 0 is the one that writes files and talks to the user. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** How long a rank may keep the others waiting. */
  readonly seconds: number;
  /** The sum over all ranks in the place of each rank's values; added up in the order of ranks, so that all get the same bits. */
  allReduce(values: Float32Array): void;
  /** What each rank gave, by rank; the lengths may differ. */
  allGather(values: Float32Array): readonly Float32Array[];
  /** Rank 0's bytes in the place of all others'; the lengths must agree. */
  broadcast(bytes: Uint8Array): void;
  /** Waits until all ranks are here. */
  barrier(): void;
  /** Ends all ranks with an exit code, wherever they are. */
  abort(code: number): void;
  /** Where the others do not end at once when one does: ends this process, if another has ended all. */
  hear?(): void;
  /** Leaves; the last call of every rank. */
  close(): void;
}

/** Texts of all ranks, by rank. */
export function exchangeTexts(collective: Collective, text: string): string[] {
  const bytes = Float32Array.from(new TextEncoder().encode(text)); // a byte is exact in float32
  return collective.allGather(bytes).map((each) => new TextDecoder().decode(Uint8Array.from(each)));
}

/** Whether a flag is set on any rank. */
export function anyRank(collective: Collective, flag: boolean): boolean {
  const count = Float32Array.of(flag ? 1 : 0);
  collective.allReduce(count);
  return count[0]! > 0;
}

/** Rank 0's bytes on all ranks; the others need not know how many. */
export function broadcastBytes(collective: Collective, bytes: Uint8Array | undefined): Uint8Array {
  const length = new Uint8Array(8);
  const view = new DataView(length.buffer);
  if (bytes) view.setFloat64(0, bytes.length);
  collective.broadcast(length);
  const all = collective.rank === 0 ? bytes! : new Uint8Array(view.getFloat64(0));
  collective.broadcast(all);
  return all;
}
