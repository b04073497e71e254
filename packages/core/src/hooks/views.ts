import type * as tf from '../tensor/index.js';
import type { Batch } from '../batch.js';
import type { ThreatModel } from '../threat/index.js';
import type { Role } from './inner-optimizer.js';

/** Logits `[batch, classes]` by role; `z['<companion>@<role>']` are those of a companion. */
export interface Logits {
  readonly natural: tf.Tensor2D;
  readonly adversarial: tf.Tensor2D;
  readonly collaborative: tf.Tensor2D;
  readonly [role: string]: tf.Tensor2D;
}

/** What a loss term sees: logits of the points of one batch, on the gradient tape. */
export interface Views {
  readonly batch: Batch;
  readonly classes: number;
  /**
   * What the outputs are compared with, `[batch, classes]` float32: one-hot rows, the rows that an augmentation mixed, or zeros where
   * there is no label. A loss that reads this, not `batch.labels`, takes all of them right. The mean of a term that reads it runs over
   * the examples with a label.
   */
  readonly y: tf.Tensor2D;
  /** Epoch, from 0. */
  readonly epoch: number;
  /** Number of epochs of the run. */
  readonly epochs: number;
  /** Share of the run that is done, in [0, 1). */
  readonly progress: number;
  /** Logits `[batch, classes]` by the role of the point; each role's forward pass is made once per step. */
  readonly z: Logits;
  /**
   * What a layer of the network makes of a point, `[batch, ...]` float32: its output by its name, or what it reads by `<name>.input`. On the tape,
   * like the logits. Of a companion it is `features('<companion>@<role>', layer)`.
   */
  features(role: Role, layer: string): tf.Tensor;
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

/** The same views with some of them replaced; what is a getter stays one, so that nothing is read by the way. */
export const viewsWith = (views: Views, changes: Partial<Views>): Views =>
  Object.defineProperties({} as Views, {
    ...Object.getOwnPropertyDescriptors(views),
    ...Object.getOwnPropertyDescriptors(changes),
  });

/**
 * Views in which roles and findings stand for others: how two-neighbour methods apply a one-neighbour term twice.
 * @example
 * ```ts
 * // the discrepancy of a method with one neighbour, applied to another point
 * const term = ({ z }: Views) => kl(z.natural, z.adversarial);
 * const z = { natural: tf.tensor2d([[0, 1]]), collaborative: tf.tensor2d([[0, 1]]) };
 * const views = { z } as unknown as Views;
 * term(
 *   renamed(
 *     views,
 *     (role) => (role === 'adversarial' ? 'collaborative' : role),
 *     (name) => name,
 *   ),
 * ); // => [0]
 * ```
 * @category Objectives
 */
export const renamed = (views: Views, roleOf: (role: Role) => Role, findingOf: (name: string) => string): Views =>
  viewsWith(views, {
    z: new Proxy(views.z, { get: (z, role) => z[roleOf(String(role))] }),
    features: (role, layer) => views.features(roleOf(role), layer),
    fact: (name) => views.fact(findingOf(name)),
  });
