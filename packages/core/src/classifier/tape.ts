import * as tf from '../tensor/index.js';

/** One op on TensorFlow.js's gradient tape. */
interface TapeNode {
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly outputs: readonly tf.Tensor[];
  /** Null entries stand for zeros. */
  readonly gradient?: (dys: (tf.Tensor | null)[]) => Readonly<Record<string, () => tf.Tensor>>;
  readonly saved?: readonly tf.Tensor[];
}

/** What this file touches of TensorFlow.js's engine, which is not in its public types. */
interface Recorder {
  startTape(): void;
  endTape(): void;
  readonly state: { readonly activeTape: TapeNode[] };
}

/** What was computed, and the way back. */
export interface Recording {
  readonly y: tf.Tensor;
  /**
   * Gradients of a function of `y` with respect to `xs`, undefined where it does not depend on one. Frees what the tape kept at its last
   * use, unless `keep`.
   */
  pullback(dy: tf.Tensor, xs: readonly tf.Tensor[], options: { keep: boolean }): (tf.Tensor | undefined)[];
  /** Frees what the tape kept. */
  dispose(): void;
}

/**
 * Records what `compute` does on TensorFlow.js's tape, and reads the tape backwards when asked: `tf.grad` would have to know the function
 * of the logits already when these are computed.
 */
export function record(compute: () => tf.Tensor): Recording {
  const recorder = tf.engine() as unknown as Recorder;
  recorder.startTape();
  const { activeTape } = recorder.state;
  const from = activeTape.length;
  const free = (node: TapeNode) => node.saved?.forEach((tensor) => tensor.dispose());
  let y: tf.Tensor;
  try {
    y = compute();
  } catch (error) {
    activeTape.splice(from).forEach(free);
    throw error;
  } finally {
    recorder.endTape();
  }
  const nodes = activeTape.splice(from);
  let alive = true;
  const dispose = () => {
    if (alive) nodes.forEach(free);
    alive = false;
  };
  return {
    y,
    dispose,
    pullback(dy, xs, { keep }) {
      const ids = new Set(xs.map(({ id }) => id));
      const gradients = new Map<number, tf.Tensor>([[y.id, dy]]);
      // what depends on the xs: only this needs a gradient
      const reached = new Set(ids);
      for (const { inputs, outputs } of nodes)
        if (Object.values(inputs).some(({ id }) => reached.has(id))) outputs.forEach(({ id }) => reached.add(id));
      const give = (id: number, dx: tf.Tensor) => {
        const before = gradients.get(id);
        gradients.set(id, before ? tf.add(before, dx) : dx);
        if (before && before !== dy) tf.dispose([before, dx].filter((tensor) => tensor !== dy));
      };
      for (const node of [...nodes].reverse()) {
        const { inputs, outputs, gradient } = node;
        const dys = outputs.map(({ id }) => gradients.get(id) ?? null);
        const wanted = Object.entries(inputs).filter(([, { id }]) => reached.has(id));
        if (dys.some((each) => each !== null) && wanted.length > 0) {
          if (!gradient) throw new Error('an op of this model has no gradient');
          const found = tf.tidy(() => {
            const perInput = gradient(dys);
            // a gradient may be the incoming one itself
            return wanted.map(([name]) => perInput[name]!().clone());
          });
          wanted.forEach(([, { id }], at) => give(id, found[at]!));
        }
        for (const { id } of outputs) {
          const own = gradients.get(id);
          if (!own || ids.has(id)) continue;
          if (own !== dy) own.dispose();
          gradients.delete(id);
        }
        if (!keep) free(node);
      }
      if (!keep) alive = false;
      // of what was not changed at all, the gradient is the given one, which stays the caller's
      return xs.map(({ id }) => (gradients.get(id) === dy ? dy.clone() : gradients.get(id)));
    },
  };
}
