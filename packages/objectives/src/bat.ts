import { defineObjective, integer, kl, weight, weighted, type InnerOptimizer } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineInner } from './inner/examine.js';
import { onCrossEntropy, onDiscrepancyToNatural } from './inner/goals.js';
import { pgdPoint, type PgdOptions } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';

const bridge = (i: number) => (i === 0 ? 'natural' : `bridge-${i}`);

/** Points on the way from x to the adversarial point: `x + delta i / m`, i = 1..m. */
const bridges = (count: number, attack: PgdOptions): InnerOptimizer => ({
  produces: Array.from({ length: count }, (_, i) => bridge(i + 1)),
  craft(batch, context) {
    const points = tf.tidy(() => {
      const end = pgdPoint(batch, context, attack);
      const delta = tf.sub(end, batch.images);
      const at = (i: number) => (i === count ? end : tf.add(batch.images, tf.mul(delta, i / count))) as tf.Tensor4D;
      return Object.fromEntries(Array.from({ length: count }, (_, i) => [bridge(i + 1), at(i + 1)]));
    });
    return { points };
  },
});

/**
 * Bridged adversarial training: `CE(z(x), y) + beta sum_i D(p(x_{i-1}) || p(x_i))` along m bridges, not divided by m. The clean
 * pass comes before the attack, which sees its statistics; it is made again for the loss, as one tape cannot span the attack.
 */
export const bat = defineObjective({
  name: 'bat',
  summary: 'Bridged adversarial training: KL between neighbouring points on the way to the adversarial one.',
  cite: "Kim et al., 2021; arXiv:2108.11135, after its author's library",
  options: {
    beta: weight(6),
    bridges: integer({ min: 1 }).default(2).describe('number of points between the image and the end, that included'),
    goal: z.enum(['cross-entropy', 'kl']).default('cross-entropy').describe('what the attack climbs'),
    inner: innerSection({ start: 'uniform', mode: 'eval' }),
  },
  examine: examineInner(({ goal }) => goal === 'kl'),
  create({ beta, bridges: count, goal, inner }) {
    const ends = Array.from({ length: count }, (_, i) => i + 1);
    const spans = ends.map((i) => [bridge(i), weighted(beta, between(bridge(i - 1), bridge(i), kl))] as const);
    return {
      points: bridges(count, {
        ...inner,
        role: 'adversarial',
        goal: goal === 'kl' ? onDiscrepancyToNatural(kl) : onCrossEntropy,
      }),
      loss: { classification: crossEntropyAt('natural'), ...Object.fromEntries(spans) },
      passesBefore: ['natural'],
      passes: ['natural:batch', ...ends.map(bridge)],
    };
  },
});
