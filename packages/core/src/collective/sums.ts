import * as tf from '../tensor/index.js';
import type { Collective } from './collective.js';

/** Sums of tensors over all ranks. Every rank begins the same ones, in the same order. */
export interface TensorSums {
  /** How it is done, for the user: `NCCL 2.27.3`. */
  readonly name: string;
  /** So many bytes are worth a sum of their own, that goes on while more is computed; Infinity: a sum ends before anything else begins. */
  readonly bucketBytes: number;
  /**
   * Begins to sum float32 tensors, which are given up.
   * @returns what waits for the sums and gives them in the same order and shapes, the caller's
   */
  start(tensors: readonly tf.Tensor[]): () => tf.Tensor[];
  /** Where sums go on by themselves: whether those that were waited for came out. @throws BulwarkError RANK_LOST */
  check(): void;
  /** Frees what is kept for sums; the last call of every rank. */
  close(): void;
}

/** Sums through the memory of the host, over a collective: one transfer there and back for all tensors of a sum. */
export function hostSums(
  collective: Collective,
  { bucketBytes = Infinity }: { bucketBytes?: number } = {},
): TensorSums {
  return {
    name: 'host memory',
    bucketBytes,
    start(tensors) {
      const flat = new Float32Array(tensors.reduce((size, tensor) => size + tensor.size, 0));
      let from = 0;
      for (const tensor of tensors) {
        flat.set(tensor.dataSync() as Float32Array, from);
        from += tensor.size;
      }
      collective.allReduce(flat);
      from = 0;
      const sums = tensors.map(({ shape, size }) => tf.tensor(flat.subarray(from, (from += size)), shape, 'float32'));
      tf.dispose([...tensors]);
      return () => sums;
    },
    check: () => undefined,
    close: () => undefined,
  };
}
