import type { HookState } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/** Tensors that an objective holds from step to step, by name. */
export interface HeldTensors {
  /** The one of this name, made by `first` where there is none yet. */
  of(name: string, first: () => tf.Tensor): tf.Variable;
  /** The one of this name; undefined before it is made. */
  get(name: string): tf.Variable | undefined;
  /** What checkpoints keep of them. */
  readonly state: HookState;
  /** Frees them. */
  dispose(): void;
}

/** Holds nothing yet. */
export function heldTensors(): HeldTensors {
  const held = new Map<string, tf.Variable>();
  const dispose = () => tf.dispose([...held.values()]);
  return {
    of(name, first) {
      if (!held.has(name))
        held.set(
          name,
          tf.tidy(() => tf.variable(first(), false)),
        );
      return held.get(name)!;
    },
    get: (name) => held.get(name),
    state: {
      save: () => ({ tensors: held, values: null }),
      restore({ tensors }) {
        dispose();
        held.clear();
        for (const [name, value] of tensors) held.set(name, tf.variable(value, false));
      },
    },
    dispose,
  };
}
