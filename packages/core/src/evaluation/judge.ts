import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../batch.js';
import { BulwarkError } from '../errors.js';
import type { Attack, AttackContext } from '../hooks/index.js';
import { recheck, type Verdict } from './recheck.js';

/** What an attack did with a batch, and what is true of it. */
export interface Judgement {
  /** `[batch, h, w, c]` float32 as the attack returned them; the caller disposes. */
  readonly candidates: tf.Tensor4D;
  /** One for each image, in order. */
  readonly verdicts: readonly Verdict[];
  /** Of attack and recheck. */
  readonly seconds: number;
}

/** Whether a candidate breaks its image: misclassified, and within the rules. */
export const breaks = ({ misclassified, cheat }: Verdict): boolean => misclassified && cheat === undefined;

/**
 * Runs an attack on a batch and judges every candidate without trusting it: inside the ball, inside [0, 1], finite, truly misclassified.
 * Whoever wants to know what an attack achieves asks here: evaluation, validation, the cascade of an ensemble, benchmarks.
 * @throws BulwarkError ATTACK_INVALID if the attack returns something else than one candidate per image; what the attack throws
 */
export async function judge(attack: Attack, batch: Batch, context: AttackContext): Promise<Judgement> {
  const from = performance.now();
  const { label } = attack;
  const candidates: unknown = await attack.run(batch.images, batch.labels, context);
  if (!(candidates instanceof tf.Tensor) || candidates.dtype !== 'float32')
    throw new BulwarkError(
      'ATTACK_INVALID',
      `attack ${label} returned ${candidates instanceof tf.Tensor ? `a tensor of ${candidates.dtype}` : `a value of type ${typeof candidates}`}; expected a float32 tensor of shape [${batch.images.shape.join(', ')}]`,
      { cure: 'this is a fault of the attack: return one candidate per image, in order' },
    );
  const verdicts = await recheck(context.model, batch, {
    candidates: candidates as tf.Tensor4D,
    threat: context.threat,
    label,
  });
  return { candidates: candidates as tf.Tensor4D, verdicts, seconds: (performance.now() - from) / 1000 };
}
