import type * as tf from '@tensorflow/tfjs-core';
import type { Role } from './inner-optimizer.js';
import type { Views } from './views.js';

/** The classification term of an objective: which input it is taken at, and which loss. */
export interface Classification {
  /** Roles whose logits it reads. */
  readonly needs: readonly Role[];
  /** Loss per example, `[batch]` float32, on the tape. */
  loss(views: Views): tf.Tensor1D;
}

/** Hook: what penalty, per example, ties the outputs of natural and neighbouring inputs? */
export interface Regularizer {
  /** Roles whose logits it reads. */
  readonly needs: readonly Role[];
  /** Penalty per example, `[batch]` float32, on the tape, without its weight. */
  penalty(views: Views): tf.Tensor1D;
}
