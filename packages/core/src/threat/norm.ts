import * as tf from '../tensor/index.js';
import type { Random } from '../random.js';
import type { Hyperplane } from './hyperplane.js';

/**
 * The norms that configs may name.
 * @example
 * ```ts
 * normNames; // => ["linf", "l2", "l1"]
 * ```
 * @category Threat models and attacks
 */
export const normNames = ['linf', 'l2', 'l1'] as const;
/** A norm by its name in configs. */
export type NormName = (typeof normNames)[number];

/** Radius of the ball: one for all examples, or one for each, `[batch, 1, 1, 1]` float32. */
export type Radius = number | tf.Tensor4D;

/** A norm is a value: everything an attack needs to know about the geometry of the ball. */
export interface Norm {
  readonly name: NormName;
  /** The p of the lp norm; Infinity for the largest pixel. */
  readonly order: number;
  /** The norm by which gradients are measured: how fast a linear function grows per unit of this norm. */
  readonly dual: NormName;
  /** Whether it bounds every pixel by itself. */
  readonly perPixel: boolean;
  /** Whether its steepest steps move few pixels only. */
  readonly sparse: boolean;
  /** Length of one perturbation off the engine, in float64. */
  lengthOf(values: ArrayLike<number>): number;
  /** Length of a perturbation that moves each of so many pixels by 1: no two images are further apart. */
  ofOnes(dimension: number): number;
  /**
   * One step along the gradient, then the nearest point of the ball around `origin` and of the pixel range. A negative step size descends. Not
   * differentiable.
   */
  step(
    point: tf.Tensor4D,
    gradient: tf.Tensor4D,
    options: { origin: tf.Tensor4D; epsilon: Radius; stepSize: number },
  ): tf.Tensor4D;
  /** The least displacement of points in [0, 1], `[batch, h, w, c]`, onto a hyperplane each within the pixel range. Not differentiable. */
  hyperplane(point: tf.Tensor4D, plane: Hyperplane): tf.Tensor4D;
  /** A random perturbation of length 1, drawn as APGD and FAB draw the direction of their starts. */
  randomDirection(random: Random, shape: readonly number[]): tf.Tensor4D;
  /** Norm of each example's perturbation: `[batch, h, w, c]` to `[batch]` float32. */
  measure(perturbation: tf.Tensor4D): tf.Tensor1D;
  /** The nearest point of the ball of radius epsilon around `origin`, then of the box [0, 1]. */
  project(point: tf.Tensor4D, options: { origin: tf.Tensor4D; epsilon: Radius }): tf.Tensor4D;
  /** Direction of steepest ascent with unit norm, per example; 0 where the gradient is 0. */
  normalize(gradient: tf.Tensor4D): tf.Tensor4D;
  /**
   * Brings perturbations to radii of their own, `[batch, 1, 1, 1]`, as the minimum-norm attacks do: linf clamps, l1 projects onto the ball, l2
   * scales to exactly the radius, from inside, too. The pixel range is not looked at.
   */
  toRadius(perturbation: tf.Tensor4D, radii: tf.Tensor4D): tf.Tensor4D;
  /** A point of the norm's own path from no perturbation (share 0) to this one (share 1); shares `[batch, 1, 1, 1]`. */
  along(perturbation: tf.Tensor4D, shares: tf.Tensor4D): tf.Tensor4D;
  /** How far rounding to float32 may carry a point over the edge of a ball of this radius. */
  slack(epsilon: number): number;
  /** A random perturbation inside the ball (not clipped to the box), `shape` float32. */
  randomStart(random: Random, options: { shape: readonly number[]; epsilon: Radius }): tf.Tensor4D;
}

/** Which perturbations the adversary may make: `norm(x' - x) <= epsilon`, pixels stay in [0, 1]. */
export interface ThreatModel {
  readonly norm: Norm;
  readonly epsilon: number;
  /**
   * A radius for each example of the batch that is worked on, `[batch, 1, 1, 1]` float32, in the place of `epsilon`: for methods that train
   * with other radii than they are judged by. Only what reads `radiusOf` follows it.
   */
  readonly radii?: tf.Tensor4D;
}

/**
 * The radius that a training attack keeps to: that of each example where the method gives one, else epsilon.
 * @example
 * ```ts
 * radiusOf({ epsilon: 0.1 }); // => 0.1
 * const radii = tf.tensor4d([0.1, 0.2], [2, 1, 1, 1]); // a method that gives each example its own
 * radiusOf({ epsilon: 0.1, radii }); // => [[[[0.1]]], [[[0.2]]]]
 * ```
 * @category Threat models and attacks
 */
export const radiusOf = ({ epsilon, radii }: Pick<ThreatModel, 'epsilon' | 'radii'>): Radius => radii ?? epsilon;

/** Per-example reduction over height, width and channels, keeping the axes for broadcasting. */
export const overPixels = [1, 2, 3];

/** A step of that length along the norm's steepest direction, projected. */
export const projectedStep =
  (norm: Pick<Norm, 'normalize' | 'project'>): Norm['step'] =>
  (point, gradient, { origin, epsilon, stepSize }) =>
    tf.tidy(() => {
      const moved = tf.add(point, tf.mul(norm.normalize(gradient), stepSize)) as tf.Tensor4D;
      return norm.project(moved, { origin, epsilon });
    });

/** A draw scaled to length 1; one that is 0 stays. */
export const unit = (drawn: tf.Tensor4D, length: tf.Tensor): tf.Tensor4D =>
  tf.div(drawn, tf.add(tf.reshape(length, [-1, 1, 1, 1]), 1e-12));

/**
 * Clips pixels to [0, 1].
 * @example
 * ```ts
 * clipToPixelRange(tf.tensor4d([-0.5, 0.25, 2], [1, 1, 3, 1])); // => [[[[0], [0.25], [1]]]]
 * ```
 * @category Threat models and attacks
 */
export const clipToPixelRange = (x: tf.Tensor4D): tf.Tensor4D => tf.clipByValue(x, 0, 1);
