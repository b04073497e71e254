import { defineObjective } from '@bulwark/core';
import { crossEntropyAt } from './terms/cross-entropy.js';

/** Standard training, without an adversary. */
export const natural = defineObjective({
  name: 'natural',
  summary: 'Cross-entropy at the natural images: standard training.',
  create: () => ({ loss: { classification: crossEntropyAt('natural') } }),
});
