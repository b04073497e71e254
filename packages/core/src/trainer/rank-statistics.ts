import * as tf from '../tensor/index.js';
import { classifierWith, keepStatistics, disposeStatistics, type Classifier } from '../classifier/index.js';
import type { Role } from '../hooks/index.js';
import type { BatchStatistics } from '../network/index.js';
import type { Share } from './share.js';

/** Batch statistics of the passes of one part of a batch. */
type PartStatistics = ReadonlyMap<Role, BatchStatistics>;

/** Mean, variance and Bessel's factor of each layer of each pass, one after the other. */
function flattened(parts: readonly PartStatistics[]): Float32Array {
  const pieces = parts.flatMap((part) =>
    [...part.values()].flatMap((statistics) =>
      [...statistics.values()].flatMap(({ mean, variance, bessel }) => [
        mean.dataSync() as Float32Array,
        variance.dataSync() as Float32Array,
        [bessel],
      ]),
    ),
  );
  return Float32Array.from(pieces.flatMap((piece) => [...piece]));
}

/** The inverse; `like` is a part whose passes have the same layers. */
function unflattened(flat: Float32Array, like: PartStatistics): PartStatistics[] {
  const parts: PartStatistics[] = [];
  let at = 0;
  const vector = (size: number) => tf.tensor1d(flat.slice(at, (at += size)));
  while (at < flat.length)
    parts.push(
      new Map(
        [...like].map(([role, statistics]) => [
          role,
          new Map(
            [...statistics].map(([layer, given]) => {
              const [mean, variance] = [vector(given.mean.size), vector(given.variance.size)];
              return [layer, { ...given, mean, variance, bessel: flat[at++]! }];
            }),
          ),
        ]),
      ),
    );
  return parts;
}

/** Batch statistics of the parts of all ranks, in the order of ranks. Own ones are given up, unless they are those of all. */
export function gatheredStatistics(
  own: readonly PartStatistics[],
  { collective, counts, ranks }: Share,
): readonly PartStatistics[] {
  if (ranks) return own;
  const like = own[0] ?? new Map<Role, BatchStatistics>();
  const all = collective.allGather(counts ? flattened(own) : new Float32Array());
  const parts = all.flatMap((flat) => unflattened(flat, like));
  for (const part of own) part.forEach(disposeStatistics);
  return parts;
}

/**
 * Lets work update running statistics of a model, then undoes that and makes the updates of all ranks in the order of ranks, so that the
 * statistics agree. Without a share, or running statistics, or where BatchNorm sees the whole batch, the work is only done.
 */
export function inRankOrder<T>(model: Classifier, share: Share | undefined, work: (model: Classifier) => T): T {
  if (!share || share.ranks || model.statistics.size === 0) return work(model);
  const before = [...model.statistics.values()].map((variable) => [variable, variable.clone()] as const);
  const made: PartStatistics[] = [];
  const result = work(
    classifierWith(model, {
      applyStatistics(statistics) {
        made.push(new Map([['', keepStatistics(statistics)]]));
        model.applyStatistics(statistics);
      },
    }),
  );
  for (const [variable, copy] of before) {
    variable.assign(copy);
    copy.dispose();
  }
  for (const part of gatheredStatistics(made, share)) {
    model.applyStatistics(part.get('')!);
    part.forEach(disposeStatistics);
  }
  return result;
}
