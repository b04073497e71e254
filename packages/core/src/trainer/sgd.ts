import * as tf from '@tensorflow/tfjs-core';
import { currentUpdates } from '../engine/updates.js';
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

  const velocityOf = (name: string, gradient: tf.Tensor): tf.Variable => {
    const known = velocity.get(name);
    if (known) return known;
    const started = tf.tidy(() => tf.variable(tf.zerosLike(gradient), false));
    velocity.set(name, started);
    return started;
  };

  return {
    learningRate,
    apply(parameters, gradients, rate) {
      const names = [...gradients.keys()];
      const lists = {
        parameters: names.map((name) => parameters.get(name)!),
        gradients: [...gradients.values()],
        ...(momentum !== 0 && { velocity: names.map((name) => velocityOf(name, gradients.get(name)!)) }),
      };
      currentUpdates().sgd(lists, { rate, momentum, nesterov });
    },
    decayed(gradients, at): Gradients {
      const [names, given] = [[...gradients.keys()], [...gradients.values()]];
      const weights = names.map((name) => at.get(name)!);
      const found =
        weightDecay === 0
          ? given.map((gradient) => gradient.clone())
          : currentUpdates().plusScaled(given, weights, weightDecay);
      return new Map(names.map((name, i) => [name, found[i]!]));
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
