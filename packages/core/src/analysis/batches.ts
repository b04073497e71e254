import { countOf, disposeBatch, takeExamples, type Batch, type ImageSet } from '../batch.js';
import { letOthersRun } from '../event-loop.js';

/** Options that every analysis of a set of images has. */
export interface OverImages {
  readonly batchSize: number;
  /** Called with the share done, in [0, 1]. */
  readonly progress?: (share: number) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

/** Works through a set batch by batch; batches are disposed afterwards. */
export async function overBatches(
  set: ImageSet,
  { batchSize, progress, signal }: OverImages,
  work: (batch: Batch, from: number) => Promise<void>,
): Promise<void> {
  const count = countOf(set);
  for (let from = 0; from < count; from += batchSize) {
    signal?.throwIfAborted();
    const size = Math.min(batchSize, count - from);
    const batch = takeExamples(
      set,
      Int32Array.from({ length: size }, (_, i) => from + i),
    );
    await work(batch, from);
    disposeBatch(batch);
    progress?.((from + size) / count);
    await letOthersRun();
  }
}
