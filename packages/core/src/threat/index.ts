/**
 * Threat models: norms, radii, the pixel range.
 * @module @bulwark/core/threat
 */
import { l1 } from './l1.js';
import { l2 } from './l2.js';
import { linf } from './linf.js';
import type { Norm, NormName } from './norm.js';

export { keepInL1Ball } from './l1-projection.js';
export { l1, l2, linf };
export type { Hyperplane } from './hyperplane.js';
export {
  doubtOfRadius,
  doubtOfStep,
  radiusUnit,
  refuseBytes,
  threatText,
  type LengthScale,
  type WrittenLength,
} from './units.js';
export {
  clipToPixelRange,
  normNames,
  overPixels,
  radiusOf,
  type Norm,
  type NormName,
  type Radius,
  type ThreatModel,
} from './norm.js';

/**
 * The norms by name.
 * @example
 * ```ts
 * const moved = tf.tensor4d([0.3, -0.4], [1, 1, 2, 1]);
 * norms.linf.measure(moved); // => [0.4]
 * norms.l2.measure(moved); // => [0.5]
 * norms.l1.measure(moved); // => [0.7]
 * ```
 * @category Threat models and attacks
 */
export const norms: Readonly<Record<NormName, Norm>> = { linf, l2, l1 };
