import {
  defineObjective,
  discrepancy as discrepancyNamed,
  number,
  type DiscrepancyName,
  type Objective,
  type PassText,
} from '@bulwark/core';
import { z } from 'zod';
import { onCrossEntropy, onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection, type InnerSettings } from './inner/settings.js';
import { assemble, betaOption, passesOption } from './terms/assemble.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { discrepancyOptions } from './terms/discrepancy-options.js';
import { unlabelledEntropy } from './terms/entropy.js';
import { smoothingOption } from './terms/smoothing.js';

/** Options of TRADES and of its variants. */
export interface TradesOptions {
  readonly beta: number;
  readonly discrepancy: DiscrepancyName;
  readonly detachTarget: boolean;
  readonly inner: InnerSettings;
  readonly passes: readonly PassText[];
  readonly entropyWeight: number;
  readonly smoothing: number;
  readonly goal: 'discrepancy' | 'cross-entropy';
}

export const tradesOptions = (defaults: { passes: PassText[]; stepSize?: number }) => ({
  beta: betaOption(6),
  ...discrepancyOptions({ discrepancy: 'kl', detachTarget: false }),
  inner: innerSection({ start: 'gaussian', mode: 'eval', stepSize: defaults.stepSize }),
  entropyWeight: number({ min: 0 }).default(0).describe('weight of the entropy at examples without a label'),
  smoothing: smoothingOption(),
  goal: z
    .enum(['discrepancy', 'cross-entropy'])
    .default('discrepancy')
    .describe('what the attack climbs; cross-entropy with the mixed label is what Wang et al. (2023) do with CutMix'),
  passes: passesOption(defaults.passes),
});

/** `CE(z(x), y) + beta D(x, x')`, where x' climbs the same D; gradient flows through both arguments. */
export function createTrades({
  beta,
  discrepancy,
  detachTarget,
  inner,
  passes,
  entropyWeight,
  smoothing,
  goal,
}: TradesOptions): Objective {
  const measure = discrepancyNamed(discrepancy, { detachTarget });
  return assemble({
    inner: pgd({
      ...inner,
      role: 'adversarial',
      goal: goal === 'discrepancy' ? onDiscrepancyToNatural(measure) : onCrossEntropy,
    }),
    classification: crossEntropyAt('natural', smoothing),
    regularizer: between('natural', 'adversarial', measure),
    beta,
    extra: entropyWeight > 0 ? [unlabelledEntropy(entropyWeight)] : [],
    passes,
  });
}

/**
 * TRADES. The original makes a third pass, over the natural batch again, for the KL target: here its statistics are
 * applied a second time without computing it.
 */
export const trades = defineObjective({
  name: 'trades',
  summary: 'Cross-entropy at natural images plus the discrepancy to neighbours that maximise it.',
  cite: 'Zhang et al., 2019, Eq. 5; arXiv:1901.08573',
  options: tradesOptions({ passes: ['natural', 'adversarial', 'natural'] }),
  create: createTrades,
});
