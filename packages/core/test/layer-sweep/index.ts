import { describe } from '@jest/globals';
import { activations } from './cases/activations.js';
import { convolutions } from './cases/convolutions.js';
import { densesAndNorms } from './cases/dense.js';
import { merging } from './cases/merging.js';
import { poolings } from './cases/pooling.js';
import { shapings } from './cases/shaping.js';
import { sweep } from './sweep.js';

/** Compares layers of TensorFlow.js and their gradients, on the current engine, with double precision and finite differences. */
export function sweepLayers(): void {
  describe('layers of', () => {
    sweep('convolution', convolutions);
    sweep('pooling', poolings);
    sweep('shape', shapings);
    sweep('activation', activations);
    sweep('products and normalisation', densesAndNorms);
    sweep('several inputs', merging);
  });
}
