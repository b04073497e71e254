import { z } from 'zod';
import { counted } from '../counted.js';
import { attackPlugins } from '../attacks/index.js';
import { coreEngines } from '../engine/index.js';
import { averagePlugins } from './averages.js';
import {
  contradiction,
  defineOptimizer,
  defineSchedule,
  doubt,
  integer,
  number,
  onlyWith,
  type Plugin,
  type RunPlan,
} from '../plugins/index.js';
import { createAdamW, createSgd, decayGroups, schedules } from '../trainer/index.js';

const decayOption = (fallback: (typeof decayGroups)[number]) =>
  onlyWith(
    z
      .enum(decayGroups)
      .default(fallback)
      .describe('what weight decay applies to: all parameters, all but BatchNorm, or kernels only'),
    {
      words: 'weightDecay above 0',
      holds: ({ weightDecay, undecayedLearningRate }) => weightDecay !== 0 || undecayedLearningRate !== undefined,
    },
  );

/** The momentum of schedules that can move it. */
const cycleMomentum = (fallback?: [number, number]) => {
  const bounds = z.tuple([number({ min: 0, max: 1 }), number({ min: 0, max: 1 })]);
  return (fallback ? bounds.default(fallback) : bounds.optional()).describe(
    'momentum at the highest and at the lowest learning rate; it moves against the rate',
  );
};
/** Bounds the wrong way round. */
const examineMomentum = ({ momentum }: { momentum?: [number, number] }) =>
  momentum && momentum[0] > momentum[1]
    ? [
        doubt(
          `momentum is ${momentum.join(', ')}, at the highest and at the lowest learning rate: it moves with the rate, not against it`,
          `write [${[...momentum].reverse().join(', ')}]`,
        ),
      ]
    : [];
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
  examine: ({ nesterov, momentum, decay, undecayedLearningRate }) => [
    ...(nesterov && momentum === 0
      ? [
          contradiction(
            'nesterov is true, and momentum is 0: there is no momentum step to look ahead to',
            'set momentum to 0.9, or nesterov to false',
          ),
        ]
      : []),
    ...(undecayedLearningRate !== undefined && decay === 'all'
      ? [
          contradiction(
            `undecayedLearningRate is ${undecayedLearningRate}, and decay is all: no parameter is without decay`,
            'set decay to kernels or no-batch-norm, or leave undecayedLearningRate out',
          ),
        ]
      : []),
  ],
  create: (options) => createSgd(options),
});

const adamw = defineOptimizer({
  name: 'adamw',
  summary: "Adam with decoupled weight decay, in PyTorch's form.",
  cite: 'Loshchilov and Hutter, 2019, Algorithm 2; arXiv:1711.05101',
  options: {
    learningRate: number({ above: 0 }).default(1e-3).describe('base learning rate; the schedule multiplies it'),
    beta1: number({ min: 0, below: 1 }).default(0.9).describe('share of the old mean of gradients'),
    beta2: number({ min: 0, below: 1 }).default(0.999).describe('share of the old mean of squared gradients'),
    epsilon: number({ above: 0 }).default(1e-8).describe('added to the root of the mean of squares'),
    weightDecay: number({ min: 0 }).default(0.01).describe('weights shrink by learningRate * weightDecay in a step'),
    decay: decayOption('kernels'),
  },
  create: (options) => createAdamW(options),
});

/** Epochs of a schedule that this run does not reach. */
const beyond = (option: string, epochs: readonly number[], plan: RunPlan) => {
  const late = epochs.filter((epoch) => epoch > plan.epochs);
  return late.length === 0
    ? []
    : [
        doubt(
          `${option} is ${epochs.join(', ')}, and the run ends after epoch ${plan.epochs}`,
          'fit the schedule to epochs',
        ),
      ];
};

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
  examine: ({ milestones, factor }, plan) => [
    ...beyond('milestones', milestones, plan),
    ...(factor === 1 && milestones.length > 0
      ? [doubt(`factor is 1: milestones ${milestones.join(', ')} change nothing`, 'set factor to 0.1, or use constant')]
      : []),
  ],
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
  examine({ points }, plan) {
    const from = points.map((point) => point.from);
    const at = from.findIndex((epoch, i) => i > 0 && epoch <= from[i - 1]!);
    if (at < 0) return beyond('points.from', from, plan);
    return [
      contradiction(
        `points[${at}].from is ${from[at]}, and points[${at - 1}].from is ${from[at - 1]}: they do not ascend`,
        'write the points in the order of their epochs, each epoch once',
      ),
    ];
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
  examine: examineMomentum,
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
  examine: examineMomentum,
  create: ({ momentum, ...options }) => schedules.oneCycle({ ...options, momentum: boundsOf(momentum) }),
});

const warmCosine = defineSchedule({
  name: 'warm-cosine',
  summary: 'Linear over the first epochs, then half a cosine, per epoch.',
  cite: 'Cui et al., 2024, released code; arXiv:2305.13948',
  options: { warmup: integer({ min: 0 }).default(0).describe('epochs of linear growth') },
  examine: ({ warmup }, { epochs }) =>
    warmup < epochs
      ? []
      : [
          doubt(
            `warmup is ${warmup}, and the run has ${counted(epochs, 'epoch')}: the learning rate only grows${warmup > epochs ? `, up to ${Number(((100 * epochs) / warmup).toPrecision(3))} % of learningRate` : ''}`,
            'set warmup below epochs',
          ),
        ],
  create: schedules.warmCosine,
});

const own = [sgd, adamw, constant, step, cosine, piecewise, cyclic, oneCycle, warmCosine, ...averagePlugins] as const;
/** The optimizers, schedules and averages that come with core, for the types of configs. */
export type OptimizerOrSchedulePlugin = (typeof own)[number];

/** The plugins that come with core: attacks, optimizers, schedules, averages, the engines that run everywhere. */
export const corePlugins: readonly Plugin[] = [...attackPlugins, ...own, ...(coreEngines as readonly Plugin[])];
