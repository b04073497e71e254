import * as tf from '../tensor/index.js';
import { inputGradient, type Classifier, type InputGradient, type Mode } from '../classifier/index.js';
import { radiusOf, type ThreatModel } from '../threat/index.js';

/**
 * One step along the gradient, projected onto the ball around `origin` and the pixel range. A negative step size descends.
 * For linf: `clip01(clip(x + stepSize * sign(g), origin - epsilon, origin + epsilon))`.
 * @example
 * ```ts
 * const origin = tf.fill([1, 1, 2, 1], 0.5) as tf.Tensor4D;
 * const gradient = tf.tensor4d([3, -1], [1, 1, 2, 1]);
 * attackStep(origin, gradient, { origin, threat: { norm: norms.linf, epsilon: 0.1 }, stepSize: 0.25 }); // => [[[[0.6], [0.4]]]]
 * ```
 * @category Threat models and attacks
 */
export function attackStep(
  point: tf.Tensor4D,
  gradient: tf.Tensor4D,
  options: { origin: tf.Tensor4D; threat: ThreatModel; stepSize: number },
): tf.Tensor4D {
  const { origin, threat, stepSize } = options;
  return threat.norm.step(point, gradient, { origin, stepSize, epsilon: radiusOf(threat) });
}

/** How a loop of gradient steps runs. */
export interface GradientLoop {
  readonly model: Classifier;
  /** What BatchNorm does; default `eval`. */
  readonly mode?: Mode;
  readonly origin: tf.Tensor4D;
  /** First point; the loop does not dispose it. It need not lie in the ball. */
  readonly start: tf.Tensor4D;
  readonly steps: number;
  /** Negative descends. */
  readonly stepSize: number;
  readonly threat: ThreatModel;
  /** Of logits `[batch, classes]`, per example `[batch]`: what the loop climbs. */
  readonly loss: (logits: tf.Tensor2D) => tf.Tensor1D;
  /** Passes whose gradients are averaged, for models that answer differently each time; default 1. */
  readonly eot?: number;
  /** Changes the gradient before the step (momentum); returns a tensor that the loop disposes. */
  readonly transform?: (gradient: tf.Tensor4D) => tf.Tensor4D;
  /** Sees every point before the step is made from it (`step` counts from 0) and the last point (`step === steps`). */
  readonly onPoint?: (point: tf.Tensor4D, step: number) => void;
  /** Sees what each step is made from; the tensors live only as long as the call. */
  readonly onGradient?: (found: InputGradient, at: { point: tf.Tensor4D; step: number }) => void;
}

/** The mean of a gradient and those of further passes (expectation over transformation, Athalye et al., 2018; arXiv:1707.07397). */
function averagedOver(first: tf.Tensor4D, point: tf.Tensor4D, loop: GradientLoop): tf.Tensor4D {
  const { eot = 1 } = loop;
  let sum = first;
  for (let pass = 1; pass < eot; pass++)
    sum = tf.tidy(() => tf.add(sum, inputGradient(loop.model, point, loop).gradient) as tf.Tensor4D);
  return eot === 1 ? first : tf.div(sum, eot);
}

/**
 * The loop that every fixed-step attack shares: `steps` times gradient, step, projection; returns the last point. With 0 steps
 * that is a copy of the start.
 * @example
 * ```ts
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
 * const model = createNetwork(graph, { name: 'linear', random: createRandom(1) });
 * const images = tf.fill([1, 2, 2, 1], 0.5) as tf.Tensor4D;
 * const labels = tf.tensor1d([0], 'int32');
 * const loss = (logits: tf.Tensor2D) => crossEntropy(logits, labels);
 * const threat = { norm: norms.linf, epsilon: 0.1 };
 * const found = gradientLoop({ origin: images, start: images, steps: 5, stepSize: 0.04, threat, model, loss });
 * norms.linf.measure(tf.sub(found, images)); // => [0.1]
 * tf.greater(loss(logitsOf(model, found)), loss(logitsOf(model, images))); // => [1]
 * ```
 * @category Threat models and attacks
 */
export function gradientLoop(loop: GradientLoop): tf.Tensor4D {
  let point = loop.start.clone();
  for (let step = 0; step < loop.steps; step++) {
    loop.onPoint?.(point, step);
    const next = tf.tidy(() => {
      const found = inputGradient(loop.model, point, loop);
      loop.onGradient?.(found, { point, step });
      const gradient = averagedOver(found.gradient, point, loop);
      return attackStep(point, loop.transform ? loop.transform(gradient) : gradient, loop);
    });
    point.dispose();
    point = next;
  }
  loop.onPoint?.(point, loop.steps);
  return point;
}
