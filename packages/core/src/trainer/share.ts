import * as tf from '../tensor/index.js';
import { drawnRows, type Batch } from '../batch.js';
import type { Collective, TensorSums } from '../collective/index.js';
import type { BatchRanks } from '../network/index.js';
import type { RawBatch } from '../hooks/index.js';
import type { Pipeline } from './pipeline.js';

/** What this process has of a batch that several work through together: some of its parts, in the order of ranks. */
export interface Share {
  readonly collective: Collective;
  readonly sums: TensorSums;
  /** Examples of the whole batch. */
  readonly total: number;
  /** Position of the first own example in the whole batch. */
  readonly from: number;
  /** Where the own examples are cut into parts: 0, ..., their number. */
  readonly cuts: readonly number[];
  /** False where there are fewer parts than ranks: this one works through one of another's examples, which counts for nothing. */
  readonly counts: boolean;
  /** The same processes as layers see them that normalise with the whole batch; absent where each part is normalised by itself. */
  readonly ranks?: BatchRanks;
  /** Labels of the whole batch. */
  readonly labels: Int32Array;
  /** The whole batch as tensors, which are the caller's; for whoever said before that it would be asked for. */
  whole(): Batch;
}

/** Where a batch is cut into so many parts whose sizes differ by one at most: 0, ..., `count`; fewer if there are not enough examples. */
export const partCuts = (count: number, parts: number): number[] =>
  Array.from({ length: Math.min(parts, count) + 1 }, (_, i) => Math.round((i * count) / Math.min(parts, count)));

/** Where a batch of a run is, and how several processes share it. */
interface Sharing {
  readonly collective: Collective;
  readonly sums: TensorSums;
  readonly accumulate?: number;
  readonly synchronised?: boolean;
  readonly pipeline: Pipeline;
  /** Training labels, by index. */
  readonly labels: Int32Array;
  /** Whether somebody asks for the whole batch; else a process prepares its own examples alone, where it can. */
  readonly seesWhole: boolean;
}

/**
 * The own examples of a batch: those that one process would work through as its parts `rank * accumulate`, ... of
 * `size * accumulate`.
 */
export function shareOf(
  indices: Int32Array,
  position: { epoch: number; step: number },
  given: Sharing,
): { readonly raw: RawBatch; readonly share: Share } {
  const { collective, sums, accumulate = 1, synchronised = false, pipeline, seesWhole } = given;
  const { rank, size } = collective;
  const total = indices.length;
  const all = partCuts(total, size * accumulate);
  const own = all.slice(rank * accumulate, (rank + 1) * accumulate + 1);
  const counts = own.length > 1;
  const [from, to] = counts ? [own[0]!, own.at(-1)!] : [0, 1];
  const cuts = counts ? own.map((cut) => cut - from) : [0, 1];
  const whole = seesWhole || !pipeline.byImage ? pipeline.prepare(indices, position) : undefined;
  const share = {
    ...{ collective, sums, total, from, cuts, counts },
    labels: whole?.labels ?? indices.map((i) => given.labels[i]!),
    whole: () => pipeline.toTensors(whole!),
    ...(synchronised && { ranks: batchRanks(collective, counts) }),
  };
  return { raw: whole ? rows(whole, from, to) : pipeline.prepare(indices, position, { from, to }), share };
}

const batchRanks = (collective: Collective, counts: boolean): BatchRanks => ({
  gather: (own) => collective.allGather(counts ? own : new Float32Array()).filter(({ length }) => length > 0),
});

function rows(
  { pixels, labels, targets, indices, drawn, view, ...rest }: RawBatch,
  from: number,
  to: number,
): RawBatch {
  const cut = (values: Float32Array) => {
    const width = values.length / labels.length;
    return values.subarray(from * width, to * width);
  };
  return {
    ...{ ...rest, pixels: cut(pixels), labels: labels.subarray(from, to) },
    ...(targets && { targets: cut(targets) }),
    ...(indices && { indices: indices.subarray(from, to) }),
    ...(drawn && { drawn: drawnRows(drawn, from, to) }),
    ...(view && { view: (number) => cut(view(number)) }),
  };
}

/** Rows `[own, ...]` of all ranks as those of the whole batch `[total, ...]`, a tensor of the caller. */
export function gatheredRows<T extends tf.Tensor>(own: T, { collective, counts }: Share): T {
  const values = counts ? Float32Array.from(own.dataSync()) : new Float32Array();
  const all = collective.allGather(values);
  const flat = new Float32Array(all.reduce((size, { length }) => size + length, 0));
  let from = 0;
  for (const each of all) {
    flat.set(each, from);
    from += each.length;
  }
  const [, ...rest] = own.shape;
  return tf.tensor(flat, [flat.length / rest.reduce((size, n) => size * n, 1), ...rest], own.dtype) as T;
}
