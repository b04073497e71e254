import * as tf from '../tensor/index.js';
import { letOthersRun } from '../event-loop.js';

/** A state of tensors, by their names. */
type Tensors<State> = { readonly [Name in keyof State]: tf.Tensor };

/** The state with tensors of its own: what it shares with the one before, or has under two names, is cloned. */
function ownTensors<State extends Tensors<State>>(state: State, before: State): State {
  const taken = new Set<tf.Tensor>(Object.values<tf.Tensor>(before));
  const own = Object.entries<tf.Tensor>(state).map(([name, tensor]) => {
    const mine = taken.has(tensor) ? tensor.clone() : tensor;
    taken.add(mine);
    return [name, mine];
  });
  return Object.fromEntries(own) as State;
}

/**
 * Makes all steps of an attack from a first state, whose tensors it disposes, as those of each but the last. Nothing is read.
 * @param next makes a state of the one before, which it may take tensors over from; `step` counts from 0
 * @returns the last state
 */
export async function eachStep<State extends Tensors<State>>(
  { steps, progress }: { readonly steps: number; readonly progress?: ((share: number) => void) | undefined },
  first: State,
  next: (before: State, step: number) => State,
): Promise<State> {
  let state = first;
  for (let step = 0; step < steps; step++) {
    progress?.(step / steps);
    const before = state;
    state = tf.tidy(() => ownTensors(next(before, step), before) as State & tf.TensorContainer);
    tf.dispose(Object.values<tf.Tensor>(before));
    await letOthersRun();
  }
  progress?.(1);
  return state;
}
