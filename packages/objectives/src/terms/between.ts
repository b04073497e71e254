import {
  defineRegularizer,
  discrepancy,
  discrepancyNames,
  type Discrepancy,
  type DiscrepancyName,
  type PerExample,
  type Role,
} from '@bulwark/core';
import { contradiction } from '@bulwark/core/plugins';
import { z } from 'zod';

/** The discrepancy from one point's output to another's: with KL, `KL(p(from) || p(to))`. */
export const between =
  (from: Role, to: Role, measure: Discrepancy): PerExample =>
  ({ z }) =>
    measure(z[from]!, z[to]!);

const summaries: Record<DiscrepancyName, string> = {
  kl: 'Kullback-Leibler divergence D(p(from) || p(to)).',
  'symmetric-kl': 'Half the sum of the KL divergences in both directions.',
  js: 'Jensen-Shannon divergence.',
  'js-reversed': 'Jensen-Shannon divergence with the arguments of each KL exchanged.',
  'squared-l2': 'Squared Euclidean distance of the probabilities.',
};

const discrepancyPlugin = (name: DiscrepancyName) =>
  defineRegularizer({
    name,
    summary: summaries[name],
    cite: 'Li et al., 2023, Figure 6; arXiv:2205.11156',
    options: {
      between: z
        .tuple([z.string(), z.string()])
        .default(['natural', 'adversarial'])
        .describe('roles of the two points, from and to'),
      ...(name === 'symmetric-kl' && {
        detachTarget: z.boolean().default(false).describe('the target of each KL term is a constant'),
      }),
    },
    examine: ({ between: [from, to] }) =>
      from === to
        ? [contradiction(`between is ${from}, ${to}: the distance of a point from itself is 0`, 'name two points')]
        : [],
    create: (options: { between: [string, string]; detachTarget?: boolean }) =>
      between(...options.between, discrepancy(name, options)),
  });

/** One regularizer for each discrepancy. */
export const discrepancyPlugins = discrepancyNames.map(discrepancyPlugin);
