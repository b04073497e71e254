import type * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../batch.js';
import type { ThreatModel } from '../threat/index.js';
import type { Role } from './inner-optimizer.js';

/** What a loss term sees: logits of the points of one batch, on the gradient tape. */
export interface Views {
  readonly batch: Batch;
  readonly classes: number;
  /**
   * What the outputs are compared with, `[batch, classes]` float32: one-hot rows, the rows that an augmentation mixed, or zeros where
   * there is no label. A loss that reads this, not `batch.labels`, takes all of them right.
   */
  readonly y: tf.Tensor2D;
  /** Epoch, from 0. */
  readonly epoch: number;
  /** Number of epochs of the run. */
  readonly epochs: number;
  /** Share of the run that is done, in [0, 1). */
  readonly progress: number;
  /** Logits `[batch, classes]` of the point with this role; each role's forward pass is made once per step. */
  logits(role: Role): tf.Tensor2D;
  /** A finding of the inner optimizer, `[batch, ...]`, constant. */
  fact(name: string): tf.Tensor;
}

/** What a method sees after a step, off the tape; all tensors live only as long as the call. */
export interface StepFindings extends Views {
  readonly threat: ThreatModel;
  /** Mean of a term over the batch, without its weight. */
  term(name: string): tf.Scalar;
  /** Gradient of the loss with respect to a point, `[batch, h, w, c]`; for the roles that `imageGradients` of the objective names. */
  imageGradient(role: Role): tf.Tensor4D;
}

/** Views in which one role stands for another: how two-neighbour methods apply a one-neighbour term twice. */
export function renamed(views: Views, names: Readonly<Record<string, Role>>): Views {
  return { ...views, logits: (role) => views.logits(names[role] ?? role) };
}
