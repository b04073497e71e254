import { BulwarkError } from '../errors.js';
import type { Layer } from './layers-intercept.js';

/** Layers that take a dilation and compute without it, on every engine: TensorFlow.js does not pass it on. */
const undilated = ['DepthwiseConv2D', 'Conv2DTranspose', 'Conv3DTranspose'];

/**
 * Refuses a layer whose options TensorFlow.js keeps and does not heed, so that the model would compute something else than the one that was
 * converted.
 * @throws BulwarkError MODEL_INVALID
 */
export function refuseUnheeded(layer: Layer): void {
  const kind = layer.getClassName();
  const { dilationRate } = layer as { dilationRate?: number | number[] }; // a transposed one leaves it out of its config
  const rates = [dilationRate ?? 1].flat();
  if (!undilated.includes(kind) || rates.every((rate) => rate === 1)) return;
  throw new BulwarkError(
    'MODEL_INVALID',
    `layer ${layer.name}: TensorFlow.js computes ${kind} without its dilation of [${rates.join(', ')}], on every engine`,
    { hint: 'use dilation 1, or an ordinary or separable convolution, which are dilated' },
  );
}
