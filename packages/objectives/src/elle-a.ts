import { defineObjective, number, type HookState } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { examineStep } from './inner/examine.js';
import { createElle, elleOptions } from './elle.js';

/** The rule by which lambda follows the linearity error. */
export interface LambdaRule {
  readonly lambda: tf.Variable<tf.Rank.R0>;
  /** Sees the linearity error of a step, a scalar. */
  see(error: tf.Tensor): void;
  readonly state: HookState;
  /** Frees what the rule remembers. */
  dispose(): void;
}

/**
 * Lambda jumps to `high` when an error exceeds the mean of all before by `sensitivity` standard deviations (of more than two values), and
 * decays otherwise. Held as tensors, so that no step waits for a number: count, mean and summed squared deviation of the errors.
 */
export function onOffLambda(options: { high: number; decay: number; sensitivity: number }): LambdaRule {
  const { high, decay, sensitivity } = options;
  const variable = (name: string) => [name, tf.tidy(() => tf.variable(tf.scalar(0), false))] as const;
  const held = new Map(['lambda', 'count', 'mean', 'squares'].map(variable));
  const of = (name: string) => held.get(name) as tf.Variable<tf.Rank.R0>;
  return {
    lambda: of('lambda'),
    see(error) {
      tf.tidy(() => {
        const [lambda, count, mean, squares] = [of('lambda'), of('count'), of('mean'), of('squares')];
        const limit = tf.add(mean, tf.mul(sensitivity, tf.sqrt(tf.div(squares, tf.maximum(count, 1)))));
        const jumps = tf.logicalAnd(tf.greater(count, 2), tf.greater(error, limit));
        lambda.assign(tf.where(jumps, tf.scalar(high), tf.mul(lambda, decay)) as tf.Scalar);
        const away = tf.sub(error, mean);
        count.assign(tf.add(count, 1) as tf.Scalar);
        mean.assign(tf.add(mean, tf.div(away, count)) as tf.Scalar);
        squares.assign(tf.add(squares, tf.mul(away, tf.sub(error, mean))) as tf.Scalar);
      });
    },
    state: {
      save: () => ({ tensors: held, values: null }),
      restore: ({ tensors }) => held.forEach((slot, name) => slot.assign(tensors.get(name) as tf.Scalar)),
    },
    dispose: () => tf.dispose([...held.values()]),
  };
}

/** ELLE with a weight that is switched on when the loss becomes less linear than it was. */
export const elleA = defineObjective({
  name: 'elle-a',
  summary: 'ELLE whose weight jumps up when the linearity error does, and decays otherwise.',
  cite: 'Abad Rocamora et al., 2024, Algorithm 2 (ICLR 2024); arXiv:2401.11618',
  options: {
    lambda: number({ min: 0 }).default(4000).describe('what the weight jumps to'),
    decayRate: number({ min: 0, max: 1 }).default(0.99).describe('factor on the weight in every other step'),
    sensitivity: number({ min: 0 }).default(2).describe('standard deviations above the mean that make it jump'),
    ...elleOptions,
  },
  examine: examineStep,
  create({ lambda, decayRate, sensitivity, ...options }) {
    const rule = onOffLambda({ high: lambda, decay: decayRate, sensitivity });
    return {
      ...createElle(options, () => rule.lambda),
      afterStep: ({ term }) => rule.see(term('linearity')),
      state: rule.state,
      dispose: rule.dispose,
    };
  },
});
