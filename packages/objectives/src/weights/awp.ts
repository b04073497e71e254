import { defineWeightPerturber, integer, number } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { examineFirstPart } from '../inner/examine.js';
import { kernelsOnly, relativeOffsets } from './kernels.js';

/**
 * Adversarial weight perturbation: the loss is differentiated at `w + gamma ||w|| / ||g|| g`, separately for every kernel, where g is
 * the gradient of the same loss. The authors take g as a difference of weights after one step of a proxy, whose learning rate
 * cancels out; the gradient itself is the same direction with more digits.
 */
export const awp = defineWeightPerturber({
  name: 'awp',
  summary: 'Adversarial weight perturbation: differentiates the loss at weights moved to increase it.',
  cite: 'Wu et al., 2020, section 3; arXiv:2004.05884',
  options: {
    gamma: number({ min: 0 })
      .default(0.005)
      .describe('length of the move relative to each kernel; the authors: 0.01 for AT'),
    warmup: integer({ min: 0 }).default(0).describe('epochs without perturbation, from the first'),
  },
  examine: ({ warmup }, plan) =>
    examineFirstPart(
      { option: `warmup is ${warmup}`, epochs: warmup, meanwhile: 'the weights are not perturbed' },
      plan,
    ),
  create: ({ gamma, warmup }) => ({
    perturb({ model, epoch, gradients }) {
      if (epoch < warmup || gamma === 0) return undefined;
      const directions = kernelsOnly(gradients());
      const offsets = relativeOffsets(model.parameters, directions, { gamma, perLayer: true });
      tf.dispose([...directions.values()]);
      return offsets;
    },
  }),
});
