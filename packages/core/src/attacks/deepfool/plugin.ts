import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { BulwarkError } from '../../errors.js';
import { defineAttack, integer, number } from '../../plugins/index.js';
import { take } from '../gradient.js';
import { choose } from '../judge.js';
import { deepFool, deepFoolVariants } from './run.js';

/** A minimum-norm attack: points outside the threat model's ball come back as the image. */
export const deepFoolPlugin = defineAttack({
  name: 'deepfool',
  summary: 'DeepFool: steps to the nearest linearised class boundary; finds small perturbations fast.',
  cite: 'Moosavi-Dezfooli et al., 2016, Algorithm 2; arXiv:1511.04599',
  options: {
    variant: z
      .enum(deepFoolVariants)
      .default('foolbox')
      .describe("foolbox: inside the pixel range; lts4: the authors' code"),
    iterations: integer({ min: 1 }).default(50).describe('Steps at most'),
    overshoot: number({ min: 0 }).default(0.02).describe('Share by which the perturbation is lengthened'),
    candidates: integer({ min: 2 }).default(10).describe('How many of the most likely classes are considered'),
  },
  create: (options) => ({
    label: options.variant === 'foolbox' ? 'deepfool' : 'deepfool-lts4',
    settings: { ...options },
    async run(images, labels, { model, threat, progress, observe }) {
      const { name } = threat.norm;
      if (name === 'l1')
        throw new BulwarkError('ATTACK_INVALID', 'deepfool works in the linf and l2 balls, not in l1', {
          cure: 'use fab or apgd in the l1 ball',
        });
      const norm = options.variant === 'lts4' ? 'l2' : name;
      const { points } = await deepFool({ ...options, images, labels, model, norm, progress });
      const lengths = tf.tidy(() => threat.norm.measure(tf.sub(points, images)));
      const candidates = tf.tidy(() => choose(tf.lessEqual(lengths, threat.epsilon), points, images));
      points.dispose();
      const perExample = await take(lengths);
      observe?.({ kind: 'minimum-norm', perExample });
      return candidates;
    },
  }),
});
