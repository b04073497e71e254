import { contradiction, defineAttack, integer, number } from '../../plugins/index.js';
import { ddn } from './ddn.js';
import { fmn } from './fmn.js';

const steps = integer({ min: 1 }).default(100).describe('Gradient steps');

export const fmnPlugin = defineAttack({
  name: 'fmn',
  summary:
    'Fast minimum-norm attack: the nearest misclassified point, in a ball that follows the boundary; linf, l2, l1.',
  cite: 'Pintor et al., 2021, Algorithm 1; arXiv:2102.12827',
  options: {
    steps,
    // not a `stepSize`, which is a length in the threat model's norm
    alpha: number({ above: 0 })
      .default(1)
      .describe('Euclidean length of the first step, whatever the norm; the last is a hundredth of it'),
    gamma: number({ above: 0, max: 1 }).default(0.05).describe('Share by which the radius changes at first'),
    gammaFinal: number({ above: 0, max: 1 }).default(0.001).describe('Share by which it changes at last'),
  },
  create: ({ steps, alpha, gamma, gammaFinal }) => ({
    label: `fmn-${steps}`,
    settings: { steps, alpha, gamma, gammaFinal },
    minimumNorm: true,
    run: (images, labels, { model, threat, progress }) =>
      fmn({
        ...{ images, labels, model, progress, norm: threat.norm },
        ...{ steps, stepSize: alpha, gamma: { first: gamma, last: gammaFinal } },
      }),
  }),
});

export const ddnPlugin = defineAttack({
  name: 'ddn',
  summary:
    'Decoupled direction and norm: the nearest misclassified point in l2; the radius shrinks and grows by steps.',
  cite: 'Rony et al., 2019, Algorithm 1; arXiv:1811.09600',
  options: {
    steps,
    firstRadius: number({ above: 0 }).default(1).describe('Radius of the first step'),
    gamma: number({ above: 0, max: 1 }).default(0.05).describe('Share by which the radius changes in each step'),
    levels: integer({ min: 0 })
      .default(256)
      .describe('Values that a pixel can take, so that the result is an image of bytes; 0 for any'),
  },
  examine: ({ levels }) =>
    levels === 1
      ? [
          contradiction(
            'levels is 1: an image of one value has no neighbours',
            'set levels to 256, or to 0 for any value',
          ),
        ]
      : [],
  create: ({ levels, ...options }) => ({
    label: `ddn-${options.steps}`,
    settings: { ...options, levels },
    minimumNorm: true,
    norms: ['l2'],
    run: (images, labels, { model, random, progress }) =>
      ddn({ ...{ images, labels, model, random, progress }, ...options, levels: levels > 1 ? levels : undefined }),
  }),
});
