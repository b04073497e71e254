import type { Random, Sampler } from '@bulwark/core';

/** What the batches are drawn from: labelled examples 0..labelled-1, then the pseudo-labelled ones. */
export interface RstMixture {
  readonly labelled: number;
  readonly unlabelled: number;
  /** Share of pseudo-labelled examples in a batch; -1 draws from both as one pool. */
  readonly unlabelledFraction: number;
  readonly batchesPerEpoch: number;
}

/**
 * The sampler of robust self-training (Carmon et al., 2019; arXiv:1905.13736, and its code). Draws, in order: a permutation of the labelled
 * examples, again when it is used up; for each batch the pseudo-labelled positions, uniform with replacement, as many as the piece of the
 * permutation leaves free; then a permutation by which the batch is shuffled.
 */
export function rstSampler(mixture: RstMixture, options: { batchSize: number }): Sampler {
  const { labelled, unlabelled, unlabelledFraction, batchesPerEpoch } = mixture;
  const { batchSize } = options;
  const isOnePool = unlabelledFraction === -1;
  const pool = isOnePool ? labelled + unlabelled : labelled;
  const piece = isOnePool ? batchSize : batchSize - Math.floor(batchSize * unlabelledFraction);
  // without a share for them, a short last piece is not topped up with pseudo-labelled examples either
  const topsUp = piece < batchSize;

  function drawBatch(own: Int32Array, random: Random): Int32Array {
    const batch = new Int32Array(topsUp ? batchSize : own.length);
    batch.set(own);
    for (let i = own.length; i < batch.length; i++) batch[i] = labelled + random.integer(unlabelled);
    return random.permutation(batch.length).map((position) => batch[position]!);
  }

  return {
    batchesPerEpoch,
    epoch(random) {
      const batches: Int32Array[] = [];
      while (batches.length < batchesPerEpoch) {
        const order = random.permutation(pool);
        for (let at = 0; at < pool && batches.length < batchesPerEpoch; at += piece)
          batches.push(drawBatch(order.subarray(at, at + piece), random));
      }
      return batches;
    },
  };
}
