import { defineObjective, plugin, weight, weighted } from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import { passesOption } from './terms/passes-option.js';

/** An objective of freely chosen parts: every ablation of a paper is a config. */
export const compose = defineObjective({
  name: 'compose',
  summary: 'An inner optimizer, a classification term and a regularizer, each chosen by name.',
  options: {
    inner: plugin('inner-optimizer').describe('makes the neighbours'),
    classification: plugin('classification').prefault('cross-entropy').describe('classification term'),
    regularizer: plugin('regularizer').optional().describe('ties the outputs of two points together'),
    beta: onlyWith(weight(6), {
      words: 'a regularizer',
      holds: ({ regularizer }) => regularizer !== undefined,
    }),
    passes: passesOption(),
  },
  create: ({ inner, classification, regularizer, beta, passes }, { make }) => ({
    points: make('inner-optimizer', inner),
    loss: {
      classification: make('classification', classification),
      ...(regularizer && { regularizer: weighted(beta, make('regularizer', regularizer)) }),
    },
    passes,
  }),
});
