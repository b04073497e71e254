import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer } from '../hooks/index.js';
import type { Gradients } from '../network/index.js';

/** Options of SGD with momentum, in PyTorch's form. */
export interface SgdOptions {
  readonly learningRate: number;
  readonly momentum: number;
  /** Coupled (L2): `g + weightDecay * w`, before momentum, for every parameter. */
  readonly weightDecay: number;
  readonly nesterov: boolean;
}

/**
 * SGD as PyTorch computes it: `v = momentum * v + g`, `w -= learningRate * v` (Nesterov: `g + momentum * v`). The learning
 * rate stays outside the buffer. Slots are keyed by parameter name.
 */
export function createSgd(options: SgdOptions): Optimizer {
  const { learningRate, momentum, weightDecay, nesterov } = options;
  const velocity = new Map<string, tf.Variable>();

  const step = (name: string, gradient: tf.Tensor): tf.Tensor => {
    if (momentum === 0) return gradient;
    const known = velocity.get(name);
    if (known) known.assign(tf.add(tf.mul(known, momentum), gradient));
    else velocity.set(name, tf.variable(gradient, false));
    const v = velocity.get(name)!;
    return nesterov ? tf.add(gradient, tf.mul(v, momentum)) : v;
  };

  return {
    learningRate,
    apply(parameters, gradients, rate) {
      tf.tidy(() => {
        for (const [name, gradient] of gradients) {
          const parameter = parameters.get(name)!;
          parameter.assign(tf.sub(parameter, tf.mul(step(name, gradient), rate)));
        }
      });
    },
    decayed(gradients, at): Gradients {
      return new Map(
        [...gradients].map(([name, gradient]) => [
          name,
          weightDecay === 0 ? gradient.clone() : tf.tidy(() => tf.add(gradient, tf.mul(at.get(name)!, weightDecay))),
        ]),
      );
    },
    slots: () => new Map([...velocity].map(([name, v]) => [`momentum/${name}`, v])),
    restoreSlots(slots) {
      velocity.forEach((v) => v.dispose());
      velocity.clear();
      for (const [slot, value] of slots) velocity.set(slot.slice('momentum/'.length), tf.variable(value, false));
    },
    dispose() {
      velocity.forEach((v) => v.dispose());
      velocity.clear();
    },
  };
}
