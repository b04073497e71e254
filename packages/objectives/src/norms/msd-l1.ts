import * as tf from '@tensorflow/tfjs-core';

/**
 * A step of `stepSize` on each of the k pixels with the largest gradient that can move: not at the edge of [0, 1], nor within a step of the
 * edge that they move to. Off the engine. @returns the moved perturbation, `[batch, h, w, c]`
 */
export function sparseStep(
  at: { images: tf.Tensor4D; delta: tf.Tensor4D; gradient: tf.Tensor4D },
  { k, stepSize }: { k: number; stepSize: number },
): tf.Tensor4D {
  const [x, delta, gradient] = [at.images, at.delta, at.gradient].map((tensor) => tensor.dataSync() as Float32Array);
  const moved = Float32Array.from(delta!);
  const n = x!.length / at.images.shape[0];
  for (let from = 0; from < moved.length; from += n) {
    const free = gradient!.slice(from, from + n).map((g, j) => {
      const now = x![from + j]! + delta![from + j]!;
      const blocked = now <= 0 || now >= 1 || (g < 0 && now <= stepSize) || (g > 0 && now >= 1 - stepSize);
      return blocked ? 0 : g;
    });
    const threshold = free.map(Math.abs).sort()[n - k]!;
    free.forEach((g, j) => {
      if (Math.abs(g) >= threshold) moved[from + j]! += stepSize * Math.sign(g);
    });
  }
  return tf.tensor4d(moved, at.delta.shape);
}

/** The threshold by which the projection onto the l1 ball shrinks the sizes of entries (Duchi et al., 2008, Figure 1). */
function shrinkage(z: Float64Array, epsilon: number): number {
  const sizes = z.map(Math.abs).sort().reverse();
  let [sum, shrink] = [0, 0];
  for (let j = 0; j < sizes.length; j++) {
    sum += sizes[j]!;
    const candidate = (sum - epsilon) / (j + 1);
    if (sizes[j]! > candidate) shrink = candidate;
  }
  return shrink;
}

/**
 * Euclidean projection of each perturbation onto the l1 ball, in float64 off the engine.
 * @param options.all as the authors' code: if one is outside, those inside are shrunk by their negative threshold, which makes them grow
 */
export function projectOntoL1(
  perturbation: tf.Tensor4D,
  { epsilon, all }: { epsilon: number; all: boolean },
): tf.Tensor4D {
  const values = Float64Array.from(perturbation.dataSync());
  const n = values.length / perturbation.shape[0];
  const rows = Array.from({ length: perturbation.shape[0] }, (_, e) => values.subarray(e * n, (e + 1) * n));
  const outside = rows.map((row) => row.reduce((sum, value) => sum + Math.abs(value), 0) > epsilon);
  const any = outside.some(Boolean);
  rows.forEach((row, e) => {
    if (!outside[e] && !(all && any)) return;
    const shrink = shrinkage(row, epsilon);
    row.forEach((value, j) => (row[j] = Math.sign(value) * Math.max(0, Math.abs(value) - shrink)));
  });
  return tf.tensor4d(Float32Array.from(values), perturbation.shape);
}
