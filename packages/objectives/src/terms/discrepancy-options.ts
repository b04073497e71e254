import { discrepancyNames, type DiscrepancyName } from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import { z } from 'zod';

/** The options `discrepancy` and `detachTarget` with a method's defaults. */
export const discrepancyOptions = (defaults: { discrepancy: DiscrepancyName; detachTarget: boolean }) => ({
  discrepancy: z
    .enum(discrepancyNames)
    .default(defaults.discrepancy)
    .describe('how far apart two outputs are, in the attack and in the loss'),
  detachTarget: onlyWith(
    z.boolean().default(defaults.detachTarget).describe('symmetric-kl only: the target of each KL term is a constant'),
    { discrepancy: 'symmetric-kl' },
  ),
});
