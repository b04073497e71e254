import { z } from 'zod';
import { defineAttack, integer, number } from '../../plugins/index.js';
import { clipToPixelRange, l2 } from '../../threat/index.js';
import { deepFool, deepFoolVariants } from './run.js';

export const deepFoolPlugin = defineAttack({
  name: 'deepfool',
  summary: 'DeepFool: steps to the nearest linearised class boundary; finds small perturbations fast.',
  cite: 'Moosavi-Dezfooli et al., 2016, Algorithm 2; arXiv:1511.04599',
  options: {
    variant: z
      .enum(deepFoolVariants)
      .default('foolbox')
      .describe("foolbox: inside the pixel range; lts4: the authors' code; torchattacks: steps from point to point"),
    iterations: integer({ min: 1 }).default(50).describe('Steps at most'),
    overshoot: number({ min: 0 }).default(0.02).describe('Share by which the perturbation is lengthened'),
    candidates: integer({ min: 2 }).default(10).describe('How many of the most likely classes are considered'),
  },
  create: (options) => ({
    label: options.variant === 'foolbox' ? 'deepfool' : `deepfool-${options.variant}`,
    settings: { ...options },
    minimumNorm: true,
    norms: ['linf', 'l2'],
    async run(images, labels, { model, threat, progress }) {
      const norm = options.variant === 'foolbox' ? threat.norm : l2;
      const { points } = await deepFool({ ...options, images, labels, model, norm, progress });
      // the authors' code does not know of the pixel range
      const candidates = clipToPixelRange(points);
      points.dispose();
      return candidates;
    },
  }),
});
