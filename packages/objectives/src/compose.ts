import { defineObjective, plugin, type Role } from '@bulwark/core';
import { z } from 'zod';
import { assemble, betaOption } from './terms/assemble.js';

/** An objective of freely chosen parts: every ablation of a paper is a config. */
export const compose = defineObjective({
  name: 'compose',
  summary: 'An inner optimizer, a classification term and a regularizer, each chosen by name.',
  options: {
    inner: plugin('inner-optimizer').describe('makes the neighbours'),
    classification: plugin('classification').prefault('cross-entropy').describe('classification term'),
    regularizer: plugin('regularizer').optional().describe('ties the outputs of two points together'),
    beta: betaOption(6),
    passes: z
      .array(z.string())
      .optional()
      .describe('outer passes in order; default: every point that a term reads, the natural one first'),
  },
  create: ({ beta, ...specs }, { make }) => {
    const inner = make('inner-optimizer', specs.inner);
    const classification = make('classification', specs.classification);
    const regularizer = specs.regularizer && make('regularizer', specs.regularizer);
    const read: readonly Role[] = [...classification.needs, ...(regularizer?.needs ?? [])];
    const passes = specs.passes ?? ['natural', ...inner.produces].filter((role) => read.includes(role));
    return assemble({ inner, classification, regularizer, beta, passes });
  },
});
