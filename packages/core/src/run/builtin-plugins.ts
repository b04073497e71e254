import { z } from 'zod';
import { attackPlugins } from '../attacks/index.js';
import { coreEngines } from '../engine/index.js';
import { defineOptimizer, defineSchedule, integer, number, type Plugin } from '../plugins/index.js';
import { createSgd, schedules } from '../trainer/index.js';

const sgd = defineOptimizer({
  name: 'sgd',
  summary: "SGD with momentum and coupled weight decay, in PyTorch's form.",
  options: {
    learningRate: number({ above: 0 }).default(0.1).describe('base learning rate; the schedule multiplies it'),
    momentum: number({ min: 0, max: 1 }).default(0.9).describe('share of the old velocity'),
    weightDecay: number({ min: 0 })
      .default(5e-4)
      .describe('added to every gradient as weightDecay * weight, biases and BatchNorm too'),
    nesterov: z.boolean().default(false).describe('look one momentum step ahead'),
  },
  create: (options) => createSgd(options),
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
  },
  create: schedules.cyclic,
});

/** The plugins that come with core: attacks, SGD, schedules, the engines that run everywhere. */
export const corePlugins: readonly Plugin[] = [
  ...attackPlugins,
  sgd,
  constant,
  step,
  cosine,
  piecewise,
  cyclic,
  ...(coreEngines as readonly Plugin[]),
];
