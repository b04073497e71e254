import { clipToPixelRange, radiusOf, type CraftContext } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import type { InnerSettings } from './settings.js';

/**
 * Where an attack starts, `[batch, h, w, c]` float32. As in the authors' code only the `uniform` start is clipped to
 * [0, 1]; the others may lie slightly outside until the first projection.
 */
export function startPoint(
  images: tf.Tensor4D,
  context: Pick<CraftContext, 'random' | 'threat'>,
  settings: Pick<InnerSettings, 'start' | 'startScale'>,
): tf.Tensor4D {
  const { random, threat } = context;
  const { start, startScale } = settings;
  return tf.tidy(() => {
    if (start === 'none') return images.clone();
    if (start === 'gaussian')
      return tf.add(images, tf.mul(startScale, random.normal<tf.Rank.R4>(images.shape))) as tf.Tensor4D;
    const moved = tf.add(
      images,
      threat.norm.randomStart(random, { shape: images.shape, epsilon: radiusOf(threat) }),
    ) as tf.Tensor4D;
    return start === 'uniform' ? clipToPixelRange(moved) : moved;
  });
}
