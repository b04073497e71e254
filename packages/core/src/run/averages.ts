import { counted } from '../counted.js';
import { z } from 'zod';
import { defineAverage, doubt, integer, number } from '../plugins/index.js';
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
  examine: ({ start, decay }) => [
    ...(start === 1 ? [doubt('start is 1: the average is a copy of the weights to the end', 'set start below 1')] : []),
    ...(decay === 0 ? [doubt('decay is 0: the average is the weights themselves', 'set decay to 0.999')] : []),
  ],
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
  examine: ({ from }, { epochs }) =>
    from > epochs
      ? [
          doubt(
            `from is ${from}, and the run has ${counted(epochs, 'epoch')}: nothing is averaged`,
            'set from to one of the epochs',
          ),
        ]
      : [],
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
  examine: ({ decay, threshold }) => [
    ...(decay === 1
      ? [doubt('decay is 1: the average stays at the first weights that enter it', 'set decay to 0.85')]
      : []),
    ...(threshold === 1 ? [doubt('threshold is 1: only epochs without any error count', 'set threshold to 0.2')] : []),
  ],
  create: (options) => () => createFairAverage(options),
});

/** The weight averages that come with core. */
export const averagePlugins = [ema, swa, fawa] as const;
