import { defineObjective } from '@bulwark/core';
import { noNeighbours } from './inner/none.js';
import { assemble } from './terms/assemble.js';
import { crossEntropyAt } from './terms/cross-entropy.js';

/** Standard training, without an adversary. */
export const natural = defineObjective({
  name: 'natural',
  summary: 'Cross-entropy at the natural images: standard training.',
  create: () => assemble({ inner: noNeighbours, classification: crossEntropyAt('natural'), passes: ['natural'] }),
});
