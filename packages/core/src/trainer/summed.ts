import * as tf from '../tensor/index.js';
import type { Gradients, TakeGradient } from '../network/index.js';
import type { Share } from './share.js';

/** Gradients on their way to sums over all ranks. */
interface GradientSums {
  /** Those that wait become a sum on its way as soon as they are enough for one. */
  readonly take: TakeGradient;
  /** Waits for all sums; the caller's. */
  finish(): Gradients;
}

/** Sums gradients over all ranks, in buckets: one is summed while those for the next are still being found, where the engine can do both. */
export function gradientSums({ sums, counts }: Pick<Share, 'sums' | 'counts'>): GradientSums {
  const names: string[] = [];
  const begun: (() => tf.Tensor[])[] = [];
  let bucket: tf.Tensor[] = [];
  let bytes = 0;
  const begin = () => {
    if (bucket.length > 0) begun.push(sums.start(bucket));
    [bucket, bytes] = [[], 0];
  };
  return {
    take(name, gradient) {
      names.push(name);
      bucket.push(counts ? gradient : tf.zeros(gradient.shape));
      if (!counts) gradient.dispose();
      bytes += 4 * gradient.size;
      if (bytes >= sums.bucketBytes) begin();
    },
    finish() {
      begin();
      const found = begun.flatMap((wait) => wait());
      return new Map(names.map((name, i) => [name, found[i]!]));
    },
  };
}
