import { crossEntropy, defineClassification, type PerExample, type Role } from '@bulwark/core';
import { z } from 'zod';
import { smoothed, smoothingOption } from './smoothing.js';

/** Cross-entropy at one point, with smoothed labels if asked for; 0 where there is no label. */
export const crossEntropyAt =
  (role: Role, smoothing = 0): PerExample =>
  ({ z, y }) =>
    crossEntropy(z[role]!, smoothed(y, smoothing));

export const crossEntropyPlugin = defineClassification({
  name: 'cross-entropy',
  summary: 'Cross-entropy at the natural image or at a neighbour.',
  options: { at: z.string().default('natural').describe('role of the point'), smoothing: smoothingOption() },
  create: ({ at, smoothing }) => crossEntropyAt(at, smoothing),
});
