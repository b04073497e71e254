import { norms } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import type { Steps } from './apgd.js';
import type { Ball } from './options.js';

/** Share of the pixels that the first step moves, in training. */
const inTraining = 0.05;
/** Reduction of the share and of the step size; what counts as sparser; the smallest step as a share of epsilon. */
const shrink = 1.5;
const sparserThan = 0.95;
const leastStep = 0.1;

/** Signs of the entries of one gradient whose size is at or above the sorted position, scaled to sum to `length`. */
function sparseDirection(gradient: Float32Array, share: number, length: number): Float32Array {
  const n = gradient.length;
  const index = Math.min(Math.max(Math.floor((1 - share) * n), 0), n - 1);
  const threshold = gradient.map(Math.abs).sort()[index]!;
  const chosen = gradient.map((g) => (Math.abs(g) >= threshold ? Math.sign(g) : 0));
  const moved = chosen.reduce((sum, sign) => sum + Math.abs(sign), 0);
  return chosen.map((sign) => (sign * length) / (moved + 1e-10));
}

/** Steps of APGD in l1 (Croce and Hein, 2021, section 3.3; arXiv:2103.01208): sparse, and sparser while the best points become so. */
export function sparseSteps(
  images: tf.Tensor4D,
  { epsilon }: Ball,
  { steps, firstShare = inTraining }: { steps: number; firstShare?: number },
): Steps {
  const count = images.shape[0];
  const n = images.size / count;
  const every = Math.max(Math.floor(0.04 * steps), 1);
  const x = images.dataSync() as Float32Array;
  const sizes = new Float64Array(count).fill(epsilon);
  const shares = new Float64Array(count).fill(firstShare);
  const changedBefore = new Float64Array(count).fill(n);
  return {
    next({ point, gradient }) {
      const [from, g] = [point.dataSync() as Float32Array, gradient.dataSync() as Float32Array];
      const moved = Float32Array.from(from);
      for (let e = 0; e < count; e++) {
        const direction = sparseDirection(g.slice(e * n, (e + 1) * n), shares[e]!, sizes[e]!);
        direction.forEach((step, j) => (moved[e * n + j]! += step));
      }
      return norms.l1.project(tf.tensor4d(moved, images.shape), { origin: images, epsilon });
    },
    check(index, { best }) {
      if ((index + 1) % every !== 0) return undefined;
      const points = best.dataSync() as Float32Array;
      return Uint8Array.from(sizes, (_, e) => {
        let changed = 0;
        for (let j = e * n; j < (e + 1) * n; j++) if (points[j] !== x[j]) changed++;
        const sparser = changed / changedBefore[e]! < sparserThan;
        shares[e] = changed / n / shrink;
        sizes[e] = Math.min(Math.max(sparser ? epsilon : sizes[e]! / shrink, leastStep * epsilon), epsilon);
        changedBefore[e] = changed;
        return sparser ? 1 : 0;
      });
    },
  };
}
