import { z } from 'zod';
import { defineAttack, doubt, integer, onlyWith, pixelLength } from '../plugins/index.js';
import { attackLossNames } from './attack-loss.js';
import { fixedStepAttack, type FixedStep } from './fixed-step.js';
import type { Attack } from '../hooks/index.js';

/** `pgd-20`, `pgd-20-margin`, `pgd-20-x5`: what changes the result is part of the name. */
const label = (name: string, parts: { steps: number; loss: string; restarts: number; eot?: number }): string =>
  [
    `${name}-${parts.steps}`,
    ...(parts.loss === 'ce' ? [] : [parts.loss]),
    ...(parts.restarts === 1 ? [] : [`x${parts.restarts}`]),
    ...(parts.eot === undefined ? [] : [`eot${parts.eot}`]),
  ].join('-');

type PgdOptions = Omit<FixedStep, 'stepSize'> & { readonly stepSize?: number | undefined; readonly restarts: number };

function pgdAttack({ stepSize, ...options }: PgdOptions): Attack {
  const attack: Attack = {
    label: label('pgd', options),
    settings: { ...options, stepSize },
    forClasses: (classes) =>
      options.loss === 'dlr' && classes < 3 ? pgdAttack({ ...options, stepSize, loss: 'margin' }) : attack,
    run: (images, labels, context) =>
      fixedStepAttack({ images, labels }, { ...options, stepSize: stepSize ?? context.threat.epsilon / 4 }, context),
  };
  return attack;
}

/**
 * Projected gradient descent. As in the code of the papers (Madry, TRADES, MART, Squeeze Training), the random start is not clipped to
 * [0, 1] before the first gradient; `clipStart` clips it, as torchattacks does.
 */
export const pgd = defineAttack({
  name: 'pgd',
  summary: 'Projected gradient ascent from a random point of the ball; the last point counts.',
  cite: 'Madry et al., 2018, section 2.1; arXiv:1706.06083',
  options: {
    steps: integer({ min: 1 }).default(20).describe('Gradient steps'),
    stepSize: pixelLength({ above: 0 })
      .optional()
      .describe('Length of a step in the norm; default a quarter of epsilon, which is 2/255 at 8/255'),
    loss: z.enum(attackLossNames).default('ce').describe('What the attack maximises'),
    start: z.enum(['random', 'image']).default('random').describe('First point: uniform in the ball, or the image'),
    clipStart: onlyWith(
      z.boolean().default(false).describe('Clip the random start to [0, 1] before the first gradient'),
      { start: 'random' },
    ),
    restarts: onlyWith(
      integer({ min: 1 }).default(1).describe('Random restarts; an example is broken if any of them breaks it'),
      { start: 'random' },
    ),
    eot: integer({ min: 2 }).optional().describe('Gradients averaged at each step, for randomised models; default 1'),
    keep: z
      .enum(['last', 'any'])
      .default('last')
      .describe('last: the last point counts; any: every point on the way counts (the RST protocol)'),
  },
  examine: ({ loss, start }) =>
    loss === 'kl' && start === 'image'
      ? [
          doubt(
            'loss is kl, and start is image: the KL to the natural output has no gradient there, so the first step goes nowhere, or along rounding',
            'set start to random',
          ),
        ]
      : [],
  create: pgdAttack,
});
