import * as tf from '../tensor/index.js';
import type { Optimizer } from '../hooks/index.js';
import { decays, type DecayGroup } from './decay.js';

/** Options of AdamW, in PyTorch's form. */
export interface AdamWOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled: `w -= learningRate * weightDecay * w`, beside the step, for the parameters that `decay` names. */
  readonly weightDecay: number;
  readonly decay: DecayGroup;
}

/**
 * AdamW (Loshchilov and Hutter, 2019, Algorithm 2; arXiv:1711.05101) as PyTorch computes it: moments with bias correction, decay beside
 * the step. A schedule that moves momentum moves beta1. Slots are keyed by parameter name; `step/<parameter>` counts its updates.
 */
export function createAdamW(options: AdamWOptions): Optimizer {
  const { learningRate, beta2, epsilon, weightDecay, decay } = options;
  const slots = new Map<string, tf.Variable>();

  /** The slot moved to `value`, which the slot before gives. */
  const move = (name: string, shape: readonly number[], value: (before: tf.Tensor) => tf.Tensor): tf.Variable => {
    if (!slots.has(name)) slots.set(name, tf.variable(tf.zeros([...shape]), false));
    const slot = slots.get(name)!;
    slot.assign(value(slot));
    return slot;
  };

  const updated = (name: string, gradient: tf.Tensor, rate: number, beta1: number): tf.Tensor => {
    const { shape } = gradient;
    const first = move(`first/${name}`, shape, (m) => tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1)));
    const second = move(`second/${name}`, shape, (v) =>
      tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2)),
    );
    const count = move(`step/${name}`, [], (n) => tf.add(n, 1));
    const corrected = (moment: tf.Tensor, beta: number) => tf.div(moment, tf.sub(1, tf.pow(beta, count)));
    const direction = tf.div(corrected(first, beta1), tf.add(tf.sqrt(corrected(second, beta2)), epsilon));
    return tf.mul(direction, rate);
  };

  return {
    learningRate,
    apply(parameters, gradients, rate, { momentum = options.beta1 } = {}) {
      tf.tidy(() => {
        for (const [name, gradient] of gradients) {
          const parameter = parameters.get(name)!;
          const kept = decays(decay, name, parameters) ? tf.mul(parameter, 1 - rate * weightDecay) : parameter;
          parameter.assign(tf.sub(kept, updated(name, gradient, rate, momentum)));
        }
      });
    },
    decayed: (gradients) => new Map([...gradients].map(([name, gradient]) => [name, gradient.clone()])),
    slots: () => slots,
    restoreSlots(saved) {
      tf.dispose([...slots.values()]);
      slots.clear();
      for (const [name, value] of saved) slots.set(name, tf.variable(value, false));
    },
    dispose() {
      tf.dispose([...slots.values()]);
      slots.clear();
    },
  };
}
