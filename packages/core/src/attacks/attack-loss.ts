import * as tf from '../tensor/index.js';
import { BulwarkError } from '../errors.js';
import type { AttackContext } from '../hooks/index.js';
import { crossEntropy, discrepancy, dlr, margin } from '../loss/index.js';
import { logitsOf } from '../classifier/index.js';

/** Losses that the fixed-step attacks can climb. */
export const attackLossNames = ['ce', 'margin', 'dlr', 'kl'] as const;
/** A loss of attacks by its name. */
export type AttackLossName = (typeof attackLossNames)[number];

/** Logits `[batch, classes]` to the loss to be maximised, `[batch]`. */
export type LogitLoss = (logits: tf.Tensor2D) => tf.Tensor1D;

/** @throws BulwarkError ATTACK_INVALID if the model has fewer than `least` classes */
export function requireClasses(context: AttackContext, least: number, what: string): void {
  const { classes } = context.model;
  if (classes < least)
    throw new BulwarkError('ATTACK_INVALID', `${what} needs at least ${least} classes; the model has ${classes}`, {
      hint: 'attack with ce or margin losses (fgsm, pgd, cw-linf, apgd with loss ce, square)',
    });
}

/**
 * The loss of this name at fixed labels. `kl` (Zhang et al., 2019: the divergence from the natural output) takes the natural
 * logits at the images once; the caller disposes them through `dispose`.
 */
export function attackLoss(
  name: AttackLossName,
  at: { images: tf.Tensor4D; labels: tf.Tensor1D; context: AttackContext },
): { loss: LogitLoss; dispose: () => void } {
  const { images, labels, context } = at;
  const nothing = () => undefined;
  if (name === 'ce') return { loss: (logits) => crossEntropy(logits, labels), dispose: nothing };
  if (name === 'margin') return { loss: (logits) => margin(logits, labels), dispose: nothing };
  if (name === 'dlr') {
    requireClasses(context, 3, 'the dlr loss');
    return { loss: (logits) => dlr(logits, labels), dispose: nothing };
  }
  const natural = logitsOf(context.model, images);
  const kl = discrepancy('kl');
  return { loss: (logits) => kl(natural, logits), dispose: () => natural.dispose() };
}
