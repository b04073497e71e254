import type { DataId, Tensor } from '@tensorflow/tfjs-core';
import type { NodeBackend } from '../binding.js';
import type { Session } from './saved-model.js';
import type { TracedPass } from './trace.js';

/** The weights that a pass computes from variables, kept until one of these changes. */
export interface FoldedWeights {
  /** Handles for the current values of the variables, in the order of the pass. */
  ids(value: (name: string) => Tensor): readonly number[];
  dispose(): void;
}

/** They are bare handles of the binding: not TensorFlow.js's tensors, which callers count. */
export function foldedWeights(backend: NodeBackend, session: Session, pass: TracedPass): FoldedWeights {
  const names = [...pass.weights.weights.keys()];
  const feeds = [...pass.weights.weights.values()];
  const fetches = [...pass.folded.keys()];
  let versions: DataId[] = [];
  let current: number[] = [];

  const dispose = () => {
    current.forEach((id) => backend.binding.deleteTensor(id));
    [versions, current] = [[], []];
  };
  return {
    ids(value) {
      const tensors = names.map(value);
      // assigning to a variable gives it other data; data itself never changes
      if (tensors.every(({ dataId }, at) => dataId === versions[at])) return current;
      dispose();
      current = session.run(feeds, backend.getInputTensorIds(tensors), fetches).map(({ id }) => id);
      versions = tensors.map(({ dataId }) => dataId);
      return current;
    },
    dispose,
  };
}
