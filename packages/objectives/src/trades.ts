import {
  defineObjective,
  discrepancy as discrepancyNamed,
  weight,
  weighted,
  type DiscrepancyName,
  type ObjectiveForm,
  type PassText,
} from '@bulwark/core';
import { z } from 'zod';
import { examineInner } from './inner/examine.js';
import { onCrossEntropy, onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection, type InnerSettings } from './inner/settings.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { discrepancyOptions } from './terms/discrepancy-options.js';
import { unlabelledEntropy } from './terms/entropy.js';
import { passesInOrder } from './terms/passes-option.js';
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
  beta: weight(6),
  ...discrepancyOptions({ discrepancy: 'kl', detachTarget: false }),
  inner: innerSection({ start: 'gaussian', mode: 'eval', stepSize: defaults.stepSize }),
  entropyWeight: weight(0, 'the entropy at examples without a label'),
  smoothing: smoothingOption(),
  goal: z
    .enum(['discrepancy', 'cross-entropy'])
    .default('discrepancy')
    .describe('what the attack climbs; cross-entropy with the mixed label is what Wang et al. (2023) do with CutMix'),
  passes: passesInOrder(defaults.passes),
});

/** What TRADES and its variants do not allow together. */
export const examineTrades = examineInner<TradesOptions>(({ goal }) => goal === 'discrepancy');

/** `CE(z(x), y) + beta D(x, x')`, where x' climbs the same D; gradient flows through both arguments. */
export function createTrades(options: TradesOptions): ObjectiveForm {
  const { beta, inner, passes, entropyWeight, smoothing, goal } = options;
  const measure = discrepancyNamed(options.discrepancy, options);
  return {
    points: pgd({ ...inner, goal: goal === 'discrepancy' ? onDiscrepancyToNatural(measure) : onCrossEntropy }),
    loss: {
      classification: crossEntropyAt('natural', smoothing),
      regularizer: weighted(beta, between('natural', 'adversarial', measure)),
      ...(entropyWeight > 0 && { entropy: weighted(entropyWeight, unlabelledEntropy) }),
    },
    passes,
  };
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
  examine: examineTrades,
  create: createTrades,
});
