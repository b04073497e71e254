import { z } from 'zod';
import { attackPlugins } from '../attacks/index.js';
import { coreEngines } from '../engine/index.js';
import { averagePlugins } from './averages.js';
import { defineOptimizer, defineSchedule, integer, number, type Plugin } from '../plugins/index.js';
import { createAdamW, createSgd, decayGroups, schedules } from '../trainer/index.js';

const decayOption = (fallback: (typeof decayGroups)[number]) =>
  z
    .enum(decayGroups)
    .default(fallback)
    .describe('what weight decay applies to: all parameters, all but BatchNorm, or kernels only');

/** The momentum of schedules that can move it. */
const cycleMomentum = (fallback?: [number, number]) => {
  const bounds = z.tuple([number({ min: 0, max: 1 }), number({ min: 0, max: 1 })]);
  return (fallback ? bounds.default(fallback) : bounds.optional()).describe(
    'momentum at the highest and at the lowest learning rate; it moves against the rate',
  );
};
const boundsOf = (pair: [number, number] | undefined) => pair && { low: pair[0], high: pair[1] };

const sgd = defineOptimizer({
  name: 'sgd',
  summary: "SGD with momentum and coupled weight decay, in PyTorch's form.",
  options: {
    learningRate: number({ above: 0 }).default(0.1).describe('base learning rate; the schedule multiplies it'),
    momentum: number({ min: 0, max: 1 }).default(0.9).describe('share of the old velocity'),
    weightDecay: number({ min: 0 }).default(5e-4).describe('added to gradients as weightDecay * weight'),
    nesterov: z.boolean().default(false).describe('look one momentum step ahead'),
    decay: decayOption('all'),
    undecayedLearningRate: number({ min: 0 })
      .optional()
      .describe(
        'constant learning rate of the parameters without decay; released code of E-AT and RAMP leaves it at 1 by mistake',
      ),
  },
  create: (options) => createSgd(options),
});

const adamw = defineOptimizer({
  name: 'adamw',
  summary: "Adam with decoupled weight decay, in PyTorch's form.",
  cite: 'Loshchilov and Hutter, 2019, Algorithm 2; arXiv:1711.05101',
  options: {
    learningRate: number({ above: 0 }).default(1e-3).describe('base learning rate; the schedule multiplies it'),
    beta1: number({ min: 0, max: 1 }).default(0.9).describe('share of the old mean of gradients'),
    beta2: number({ min: 0, max: 1 }).default(0.999).describe('share of the old mean of squared gradients'),
    epsilon: number({ above: 0 }).default(1e-8).describe('added to the root of the mean of squares'),
    weightDecay: number({ min: 0 }).default(0.01).describe('weights shrink by learningRate * weightDecay in a step'),
    decay: decayOption('kernels'),
  },
  create: (options) => createAdamW(options),
});

const constant = defineSchedule({
  name: 'constant',
  summary: 'The base learning rate throughout.',
  create: schedules.constant,
});

const step = defineSchedule({
  name: 'step',
  summary: 'Multiplies the rate by a factor at each milestone.',
  options: {
    milestones: z.array(integer({ min: 1 })).describe('epochs, from 1, at whose start the factor is applied'),
    factor: number({ above: 0 }).default(0.1).describe('multiplied in at each milestone'),
  },
  create: schedules.step,
});

const cosine = defineSchedule({
  name: 'cosine',
  summary: 'Half a cosine from the base rate towards floor.',
  options: {
    floor: number({ min: 0, max: 1 }).default(0).describe('factor at the end'),
    per: z.enum(['epoch', 'step']).default('epoch').describe('whether the rate changes within an epoch'),
  },
  create: schedules.cosine,
});

const piecewise = defineSchedule({
  name: 'piecewise',
  summary: 'Explicit factors, each from its epoch on.',
  options: {
    points: z
      .array(
        z.strictObject({
          from: integer({ min: 1 }).describe('epoch, from 1'),
          factor: number({ min: 0 }).describe('factor on the base rate'),
        }),
      )
      .describe('in ascending order of `from`; 1 before the first'),
  },
  create: schedules.piecewise,
});

const cyclic = defineSchedule({
  name: 'cyclic',
  summary: 'Linear from 0 to the base rate and back to 0, per step.',
  options: {
    peak: number({ above: 0, max: 0.999 }).default(0.4).describe('share of the run at which the base rate is reached'),
    momentum: cycleMomentum(),
    ahead: z.boolean().default(false).describe('take the rate at the end of each step, so that the first is not 0'),
  },
  create: ({ momentum, ...options }) => schedules.cyclic({ ...options, momentum: boundsOf(momentum) }),
});

const oneCycle = defineSchedule({
  name: 'one-cycle',
  summary: "PyTorch's OneCycleLR: cosine up to the base rate and down again, momentum the other way.",
  cite: 'Smith and Topin, 2019; arXiv:1708.07120',
  options: {
    peak: number({ above: 0, max: 0.999 }).default(0.25).describe('share of the run at which the base rate is reached'),
    startDivisor: number({ min: 1 }).default(25).describe('the first rate is the base rate divided by this'),
    endDivisor: number({ min: 1 }).default(1e4).describe('the last rate is the first one divided by this'),
    momentum: cycleMomentum([0.85, 0.95]),
    per: z.enum(['epoch', 'step']).default('step').describe('whether the rate changes within an epoch'),
  },
  create: ({ momentum, ...options }) => schedules.oneCycle({ ...options, momentum: boundsOf(momentum) }),
});

const warmCosine = defineSchedule({
  name: 'warm-cosine',
  summary: 'Linear over the first epochs, then half a cosine, per epoch.',
  cite: 'Cui et al., 2024, released code; arXiv:2305.13948',
  options: { warmup: integer({ min: 0 }).default(0).describe('epochs of linear growth') },
  create: schedules.warmCosine,
});

const own = [sgd, adamw, constant, step, cosine, piecewise, cyclic, oneCycle, warmCosine, ...averagePlugins] as const;
/** The optimizers, schedules and averages that come with core, for the types of configs. */
export type OptimizerOrSchedulePlugin = (typeof own)[number];

/** The plugins that come with core: attacks, optimizers, schedules, averages, the engines that run everywhere. */
export const corePlugins: readonly Plugin[] = [...attackPlugins, ...own, ...(coreEngines as readonly Plugin[])];
