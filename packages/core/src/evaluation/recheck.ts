import type * as tf from '../tensor/index.js';
import type { Batch } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import { norms, type ThreatModel } from '../threat/index.js';
import { answersOf } from './answers.js';

/** Why a misclassified candidate does not count; the last is no fault of the attack's, but of the model. */
export const violations = ['outside-ball', 'outside-pixel-range', 'not-finite', 'logits-not-finite'] as const;
/** What is wrong with a candidate. */
export type Violation = (typeof violations)[number];

/** What the evaluator found out about one candidate by itself. */
export interface Verdict {
  readonly misclassified: boolean;
  /** Set where the candidate breaks the rules; it then counts for nothing. */
  readonly violation?: Violation;
  readonly prediction: number;
  /** Length of the perturbation in the threat model's norm, in float64. */
  readonly distance: number;
  /** Whether that is within the radius, but for rounding. */
  readonly inside: boolean;
  readonly linf: number;
  readonly l2: number;
  readonly l1: number;
  /** Smallest and largest pixel of the candidate. */
  readonly pixels: { readonly min: number; readonly max: number };
}

/** One perturbation in float64, and the range of its candidate. */
function measure(x: Float32Array, candidate: Float32Array) {
  let [low, high] = [Infinity, -Infinity];
  let finite = true;
  const perturbation = new Float64Array(x.length);
  for (let j = 0; j < x.length; j++) {
    const value = candidate[j]!;
    if (!Number.isFinite(value)) finite = false;
    perturbation[j] = value - x[j]!;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { perturbation, pixels: { min: low, max: high }, inRange: low >= 0 && high <= 1, finite };
}

/**
 * Checks candidates without trusting the attack: finite values, pixel range, distance in float64, and a fresh prediction of the
 * model in `eval` mode.
 * @param options.candidates `[batch, h, w, c]` float32, of the batch's shape
 * @param options.anywhere whether candidates outside the ball are no fault of the attack, which seeks the smallest perturbation
 * @param options.repeats passes whose most frequent answer counts; default 1
 */
export async function recheck(
  model: Classifier,
  batch: Batch,
  {
    candidates,
    threat,
    anywhere = false,
    repeats,
  }: { candidates: tf.Tensor4D; threat: ThreatModel; anywhere?: boolean; repeats?: number },
): Promise<Verdict[]> {
  const { classes, notFinite } = await answersOf(model, candidates, repeats);
  const [x, points, labels] = (await Promise.all(
    [batch.images, candidates, batch.labels].map((tensor) => tensor.data()),
  )) as [Float32Array, Float32Array, Int32Array];
  const size = x.length / labels.length;
  const limit = threat.epsilon + threat.norm.slack(threat.epsilon);
  return Array.from(labels, (label, e) => {
    const { perturbation, pixels, inRange, finite } = measure(
      x.subarray(e * size, (e + 1) * size),
      points.subarray(e * size, (e + 1) * size),
    );
    const distance = threat.norm.lengthOf(perturbation);
    const inside = distance <= limit;
    const violation: Violation | undefined = !finite
      ? 'not-finite'
      : !inRange
        ? 'outside-pixel-range'
        : !inside && !anywhere
          ? 'outside-ball'
          : notFinite[e] !== undefined
            ? 'logits-not-finite'
            : undefined;
    return {
      ...{ misclassified: classes[e] !== label, violation, prediction: classes[e]!, distance, inside },
      ...{ linf: norms.linf.lengthOf(perturbation), l2: norms.l2.lengthOf(perturbation) },
      ...{ l1: norms.l1.lengthOf(perturbation), pixels },
    };
  });
}
