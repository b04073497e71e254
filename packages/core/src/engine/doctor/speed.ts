import * as tf from '../../tensor/index.js';
import { conv2d } from '../../ops/index.js';

/** How fast the current engine is at what training is made of, in 10^9 floating-point operations per second. */
export interface EngineSpeed {
  /** Largest rate of a product of two square matrices: the peak that other work is held against. */
  readonly matmulGflops: number;
  /** Size of the matrices at that rate. */
  readonly matmulSize: number;
  /** A 3x3 convolution, of 64 channels on 32x32 pixels where that is not too slow, with its gradients in input and filter. */
  readonly convolutionGflops: number;
}

/** Seconds of the fastest of some runs, of which the first does not count unless it took all of `budget` seconds. */
function fastest(work: () => tf.Tensor, budget: number): number {
  const once = (): number => {
    const began = performance.now();
    tf.tidy(() => void work().dataSync()); // a queued computation is done when its numbers are there
    return (performance.now() - began) / 1000;
  };
  const end = performance.now() + 1000 * budget;
  const first = once();
  if (performance.now() > end) return first;
  let best = once();
  while (performance.now() < end) best = Math.min(best, once());
  return best;
}

/** Numbers without structure; which ones does not matter to the speed of any engine. */
const noise = (shape: number[]): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => ((i * 37) % 101) / 101 - 0.5),
    shape,
  );

function matmulSpeed(budget: number): Pick<EngineSpeed, 'matmulGflops' | 'matmulSize'> {
  let best = { matmulGflops: 0, matmulSize: 0 };
  const end = performance.now() + 1000 * budget;
  for (const size of [128, 256, 512, 1024, 2048, 4096]) {
    const [a, b] = [noise([size, size]), noise([size, size])] as [tf.Tensor2D, tf.Tensor2D];
    // one number is read back, not the whole product
    const seconds = fastest(() => tf.slice(tf.matMul(a, b), 0, 1), budget / 6);
    tf.dispose([a, b]);
    const matmulGflops = (2 * size ** 3) / seconds / 1e9;
    if (matmulGflops > best.matmulGflops) best = { matmulGflops, matmulSize: size };
    if (performance.now() + 16_000 * seconds > end) break; // the next takes eight times as long, twice
  }
  return best;
}

/** Images, pixels per side, channels: each many times the one before, so that slow engines end early. */
const workloads = [
  [1, 8, 16],
  [1, 32, 64],
  [8, 32, 64],
  [64, 32, 64],
] as const;

function convolutionSpeed(budget: number): number {
  const end = performance.now() + 1000 * budget;
  let best = 0;
  for (const [batch, side, channels] of workloads) {
    const x = noise([batch, side, side, channels]) as tf.Tensor4D;
    const filter = noise([3, 3, channels, channels]) as tf.Tensor4D;
    const gradients = tf.grads((a: tf.Tensor, b: tf.Tensor) =>
      conv2d(a as tf.Tensor4D, b as tf.Tensor4D, { stride: 1, padding: 1 }),
    );
    const seconds = fastest(() => {
      const [dx, dFilter] = gradients([x, filter], x) as [tf.Tensor, tf.Tensor];
      return tf.add(tf.slice(tf.reshape(dx, [-1]), 0, 1), tf.slice(tf.reshape(dFilter, [-1]), 0, 1));
    }, budget / 4);
    tf.dispose([x, filter]);
    best = Math.max(best, (3 * 2 * 9 * batch * (side * channels) ** 2) / seconds / 1e9);
    if (performance.now() + 8000 * seconds > end) break;
  }
  return best;
}

/** Measures the current engine for about `seconds`; longer where one computation takes longer. */
export function measureSpeed({ seconds }: { seconds: number }): EngineSpeed {
  tf.tidy(() => void tf.matMul(noise([2, 2]) as tf.Tensor2D, noise([2, 2]) as tf.Tensor2D).dataSync()); // starts its threads
  const matmul = matmulSpeed(seconds / 2);
  return { ...matmul, convolutionGflops: convolutionSpeed(seconds / 2) };
}
