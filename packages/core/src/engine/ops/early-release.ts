import { engine } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';

/** What the gradient of one tape node worked with, once the node is done. */
interface Leftovers {
  readonly tensors: readonly (Tensor | null)[];
  /** Gradients that it handed to its inputs: whoever made those inputs still needs them. */
  readonly handedOn: Set<number>;
}

/**
 * Lets the backward pass through `f` free memory as it goes. TensorFlow.js keeps every saved activation and every intermediate gradient
 * until the whole pass is over, although each is read by one node of the tape only; here they are freed when the next node begins.
 * For `tf.grad`, `tf.variableGrads` and the like; the results are the same.
 */
export function releasingEarly<Arguments extends unknown[], Y extends Tensor>(
  f: (...given: Arguments) => Y,
): (...given: Arguments) => Y {
  return (...given) => {
    const y = f(...given);
    let previous: Leftovers | undefined;
    const { state } = engine();
    for (const node of state.activeTape) {
      const { gradient } = node;
      if (!gradient) continue;
      node.gradient = (dys) => {
        for (const tensor of previous?.tensors ?? [])
          if (tensor && !previous!.handedOn.has(tensor.id)) tensor.dispose();
        const { track } = state.activeScope;
        const before = track.length;
        const perInput = gradient(dys);
        const handedOn = new Set<number>();
        /** A tensor that others hold, too, is handed on as a reference of its own. */
        const own = (dx: Tensor) => (track.includes(dx, before) && !handedOn.has(dx.id) ? dx : dx.clone());
        const made = track.slice(before);
        previous = { tensors: [...(dys as unknown as (Tensor | null)[]), ...node.saved!, ...made], handedOn };
        return Object.fromEntries(
          Object.entries(perInput).map(([name, compute]) => [
            name,
            () => {
              const dx = own(compute());
              handedOn.add(dx.id);
              return dx;
            },
          ]),
        );
      };
    }
    return y;
  };
}
