import type * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../batch.js';
import type { Role } from './inner-optimizer.js';

/** What a loss term sees: logits of the points of one batch, on the gradient tape. */
export interface Views {
  readonly batch: Batch;
  readonly classes: number;
  /** Logits `[batch, classes]` of the point with this role; each role's forward pass is made once per step. */
  logits(role: Role): tf.Tensor2D;
  /** A per-example fact of the inner optimizer, `[batch]`, constant. */
  fact(name: string): tf.Tensor;
}

/** Views in which one role stands for another: how two-neighbour methods apply a one-neighbour term twice. */
export function renamed(views: Views, names: Readonly<Record<string, Role>>): Views {
  return { ...views, logits: (role) => views.logits(names[role] ?? role) };
}
