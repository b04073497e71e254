import * as tf from '../tensor/index.js';
import { currentUpdates } from '../engine/updates.js';
import type { Optimizer } from '../hooks/index.js';
import type { Gradients } from '../network/index.js';
import { decays, type DecayGroup } from './decay.js';

/** Options of SGD with momentum, in PyTorch's form. */
export interface SgdOptions {
  readonly learningRate: number;
  readonly momentum: number;
  /** Coupled (L2): `g + weightDecay * w`, before momentum, for the parameters that `decay` names. */
  readonly weightDecay: number;
  readonly nesterov: boolean;
  /** Default `all`. */
  readonly decay?: DecayGroup;
  /** A constant learning rate of the parameters without decay, as released code has by mistake; default: that of all others. */
  readonly undecayedLearningRate?: number;
}

/**
 * SGD as PyTorch computes it: `v = momentum * v + g`, `w -= learningRate * v` (Nesterov: `g + momentum * v`). The learning
 * rate stays outside the buffer. Slots are keyed by parameter name.
 */
export function createSgd(options: SgdOptions): Optimizer {
  const { learningRate, weightDecay, nesterov, decay = 'all', undecayedLearningRate } = options;
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
    apply(parameters, gradients, rate, { momentum = options.momentum } = {}) {
      const update = (names: readonly string[], own: number) => {
        if (names.length === 0) return;
        const lists = {
          parameters: names.map((name) => parameters.get(name)!),
          gradients: names.map((name) => gradients.get(name)!),
          ...(options.momentum !== 0 && { velocity: names.map((name) => velocityOf(name, gradients.get(name)!)) }),
        };
        currentUpdates().sgd(lists, { rate: own, momentum, nesterov });
      };
      const names = [...gradients.keys()];
      if (undecayedLearningRate === undefined) return update(names, rate);
      const decayed = names.filter((name) => decays(decay, name, parameters));
      update(decayed, rate);
      update(
        names.filter((name) => !decayed.includes(name)),
        undecayedLearningRate,
      );
    },
    decayed(gradients, at): Gradients {
      const names = [...gradients.keys()];
      const some = weightDecay === 0 ? [] : names.filter((name) => decays(decay, name, at));
      const given = some.map((name) => gradients.get(name)!);
      const weights = some.map((name) => at.get(name)!);
      const found = some.length === 0 ? [] : currentUpdates().plusScaled(given, weights, weightDecay);
      const sums = new Map(some.map((name, i) => [name, found[i]!]));
      return new Map(names.map((name) => [name, sums.get(name) ?? gradients.get(name)!.clone()]));
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
