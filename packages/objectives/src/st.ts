import {
  defineObjective,
  discrepancy as discrepancyNamed,
  type DiscrepancyName,
  weight,
  weighted,
  type ObjectiveForm,
  type PassText,
} from '@bulwark/core';
import { z } from 'zod';
import { examineInner } from './inner/examine.js';
import { innerSection, type InnerSettings, type StartName } from './inner/settings.js';
import { squeeze } from './inner/squeeze.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { discrepancyOptions } from './terms/discrepancy-options.js';
import { unlabelledEntropy } from './terms/entropy.js';
import { passesInOrder } from './terms/passes-option.js';
import { squeezed } from './terms/squeeze.js';

/** Options of Squeeze Training and of its variants. */
export interface StOptions {
  readonly beta: number;
  readonly discrepancy: DiscrepancyName;
  readonly detachTarget: boolean;
  readonly noSwapWhenNoBenign: boolean;
  readonly inner: InnerSettings;
  readonly passes: readonly PassText[];
  readonly entropyWeight: number;
}

export const stOptions = (defaults: { passes: PassText[]; start: StartName; stepSize?: number }) => ({
  beta: weight(6),
  ...discrepancyOptions({ discrepancy: 'symmetric-kl', detachTarget: true }),
  noSwapWhenNoBenign: z
    .boolean()
    .default(false)
    .describe(
      "the released code's quirk: without a benign choice in the batch, gradients change sides but points do not",
    ),
  inner: innerSection({ start: defaults.start, mode: 'batch', stepSize: defaults.stepSize }),
  entropyWeight: weight(0, 'the entropy at examples without a label'),
  passes: passesInOrder(defaults.passes),
});

/** What Squeeze Training and its variants do not allow together: the pair parts from one point only by its starts. */
export const examineSt = examineInner<StOptions>(() => true);

/** `CE(z(x), y) + beta D(x', x'')`, where x' and x'' are the pair that maximises the same D. */
export function createSt({
  discrepancy,
  detachTarget,
  inner,
  noSwapWhenNoBenign,
  ...options
}: StOptions): ObjectiveForm {
  const measure = discrepancyNamed(discrepancy, { detachTarget });
  return {
    points: squeeze({ ...inner, discrepancy: measure, noSwapWhenNoBenign }),
    loss: {
      classification: crossEntropyAt('natural'),
      regularizer: weighted(options.beta, squeezed(measure)),
      ...(options.entropyWeight > 0 && { entropy: weighted(options.entropyWeight, unlabelledEntropy) }),
    },
    passes: options.passes,
  };
}

/** Squeeze Training. As in the authors' code the collaborative pass does not touch running statistics. */
export const st = defineObjective({
  name: 'st',
  summary: 'Squeeze Training: penalises the gap between adversarial and collaborative neighbours.',
  cite: 'Li et al., 2023, Eq. 6 and Algorithm 1; arXiv:2205.11156',
  options: stOptions({ passes: ['collaborative:batch', 'natural', 'adversarial'], start: 'gaussian' }),
  examine: examineSt,
  create: createSt,
});
