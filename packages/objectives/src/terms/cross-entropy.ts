import { crossEntropy, defineClassification, type Classification, type Role } from '@bulwark/core';
import { z } from 'zod';

/** Cross-entropy at one point; 0 where there is no label. */
export const crossEntropyAt = (role: Role): Classification => ({
  needs: [role],
  loss: ({ logits, y }) => crossEntropy(logits(role), y),
});

export const crossEntropyPlugin = defineClassification({
  name: 'cross-entropy',
  summary: 'Cross-entropy at the natural image or at a neighbour.',
  options: { at: z.string().default('natural').describe('role of the point') },
  create: ({ at }) => crossEntropyAt(at),
});
