import {
  defineObjective,
  discrepancy as discrepancyNamed,
  number,
  type DiscrepancyName,
  type Objective,
  type PassText,
} from '@bulwark/core';
import { z } from 'zod';
import { innerSection, type InnerSettings, type StartName } from './inner/settings.js';
import { squeeze } from './inner/squeeze.js';
import { assemble, betaOption, passesOption } from './terms/assemble.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { discrepancyOptions } from './terms/discrepancy-options.js';
import { unlabelledEntropy } from './terms/entropy.js';
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
  beta: betaOption(6),
  ...discrepancyOptions({ discrepancy: 'symmetric-kl', detachTarget: true }),
  noSwapWhenNoBenign: z
    .boolean()
    .default(false)
    .describe(
      "the released code's quirk: without a benign choice in the batch, gradients change sides but points do not",
    ),
  inner: innerSection({ start: defaults.start, mode: 'batch', stepSize: defaults.stepSize }),
  entropyWeight: number({ min: 0 }).default(0).describe('weight of the entropy at examples without a label'),
  passes: passesOption(defaults.passes),
});

/** `CE(z(x), y) + beta D(x', x'')`, where x' and x'' are the pair that maximises the same D. */
export function createSt({ discrepancy, detachTarget, inner, noSwapWhenNoBenign, ...options }: StOptions): Objective {
  const measure = discrepancyNamed(discrepancy, { detachTarget });
  return assemble({
    inner: squeeze({ ...inner, discrepancy: measure, noSwapWhenNoBenign }),
    classification: crossEntropyAt('natural'),
    regularizer: squeezed(measure),
    beta: options.beta,
    extra: options.entropyWeight > 0 ? [unlabelledEntropy(options.entropyWeight)] : [],
    passes: options.passes,
  });
}

/** Squeeze Training. As in the authors' code the collaborative pass does not touch running statistics. */
export const st = defineObjective({
  name: 'st',
  summary: 'Squeeze Training: penalises the gap between adversarial and collaborative neighbours.',
  cite: 'Li et al., 2023, Eq. 6 and Algorithm 1; arXiv:2205.11156',
  options: stOptions({ passes: ['collaborative:batch', 'natural', 'adversarial'], start: 'gaussian' }),
  create: createSt,
});
