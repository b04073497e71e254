import { defineWeightPerturber, integer, number, withoutGradient, type Gradients, type Reduction } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineFirstPart } from '../inner/examine.js';
import { kernelsOnly, relativeOffsets } from './kernels.js';

/** Mean over the batch of the losses below `ceiling`; the others count as 0, and the divisor stays the batch size. */
export const meanOfSmall =
  (ceiling: number): Reduction =>
  (perExample) =>
    tf.mean(
      tf.mul(
        perExample,
        withoutGradient((loss) => tf.cast(tf.less(loss, ceiling), 'float32'), perExample),
      ),
    ) as tf.Scalar;

/** Sum of two sets of gradients; takes ownership of both. */
function added(a: Map<string, tf.Tensor>, b: Map<string, tf.Tensor>): Map<string, tf.Tensor> {
  const sum = new Map(
    [...b].map(([name, gradient]) => [name, a.has(name) ? tf.add(a.get(name)!, gradient) : gradient]),
  );
  a.forEach((gradient) => gradient.dispose());
  b.forEach((gradient, name) => sum.get(name) === gradient || gradient.dispose());
  return sum;
}

/**
 * Robust weight perturbation: several ascent steps like AWP's, taken on examples of small loss only, so that the perturbation stops
 * where it would hurt robustness. Norms are those of all kernels together, as in the authors' code.
 */
export const rwp = defineWeightPerturber({
  name: 'rwp',
  summary: 'Robust weight perturbation: AWP in several steps, on examples of small loss only.',
  cite: 'Yu et al., 2022, Algorithm 1; arXiv:2205.14826',
  options: {
    gamma: number({ min: 0 })
      .default(0.01)
      .describe('length of the move relative to the weights; the authors: 0.005 for TRADES'),
    maxLoss: number().default(1.7).describe('examples with a larger loss do not perturb (c_min; CIFAR-100: 4)'),
    steps: integer({ min: 1 }).default(10).describe('ascent steps'),
    perLayer: z.boolean().default(false).describe('norms of each kernel instead of all kernels together'),
    warmup: integer({ min: 0 }).default(0).describe('epochs without perturbation, from the first'),
  },
  examine: ({ warmup }, plan) =>
    examineFirstPart(
      { option: `warmup is ${warmup}`, epochs: warmup, meanwhile: 'the weights are not perturbed' },
      plan,
    ),
  create: ({ gamma, maxLoss, steps, perLayer, warmup }) => ({
    perturb({ model, epoch, gradients }) {
      if (epoch < warmup || gamma === 0) return undefined;
      let directions = new Map<string, tf.Tensor>();
      let offsets: Gradients | undefined;
      for (let step = 0; step < steps; step++) {
        directions = added(directions, kernelsOnly(gradients({ offsets, reduction: meanOfSmall(maxLoss) })));
        offsets?.forEach((offset) => offset.dispose());
        offsets = relativeOffsets(model.parameters, directions, { gamma, perLayer });
      }
      directions.forEach((direction) => direction.dispose());
      return offsets;
    },
  }),
});
