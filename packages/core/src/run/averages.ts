import { z } from 'zod';
import { defineAverage, integer, number } from '../plugins/index.js';
import { createEma, createFairAverage, createSwa } from '../trainer/index.js';

const decay = (fallback: number) => number({ min: 0, max: 1 }).default(fallback).describe('share of the old average');

const ema = defineAverage({
  name: 'ema',
  summary: 'Exponential moving average after every step.',
  cite: 'Rebuffi et al., 2021, section 4.2; arXiv:2103.01946',
  options: {
    decay: decay(0.999),
    warmup: integer({ min: 1 })
      .default(10)
      .describe('after t steps the decay is at most (1 + t) / (warmup + t); larger forgets the start for longer'),
    start: number({ min: 0, max: 1 })
      .optional()
      .describe('share of the run before which the average is a copy of the weights; default: none'),
    statistics: z
      .enum(['averaged', 'copied'])
      .default('averaged')
      .describe("running statistics: averaged like the weights, or copied at each epoch's end"),
  },
  create:
    ({ start, ...options }) =>
    ({ model, steps }) =>
      start === undefined ? createEma(options) : createEma({ ...options, start: start * steps }, model),
});

const swa = defineAverage({
  name: 'swa',
  summary: 'Mean of the weights at the ends of epochs.',
  cite: 'Izmailov et al., 2018, Algorithm 1; arXiv:1803.05407',
  options: {
    from: integer({ min: 1 }).describe('first epoch that counts'),
    every: integer({ min: 1 }).default(1).describe('then every n-th'),
  },
  create: (options) => () => createSwa(options),
});

const fawa = defineAverage({
  name: 'fawa',
  summary: 'Average of the weights at the ends of epochs that protect every class, as held-out images show.',
  cite: 'Wei et al., 2023, section 4.3; arXiv:2303.14460',
  options: {
    decay: decay(0.85),
    threshold: number({ min: 0, max: 1 })
      .default(0.2)
      .describe('lowest accuracy of a class, under the last attack of the validation, with which an epoch counts'),
  },
  create: (options) => () => createFairAverage(options),
});

/** The weight averages that come with core. */
export const averagePlugins = [ema, swa, fawa] as const;
