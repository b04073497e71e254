import { engine, type Tensor, type Tensor1D, type Variable } from '@tensorflow/tfjs-core';
import type { Updates } from '@bulwark/core/engine';
import type { Handle, Kit } from './backend/index.js';

/** Updates of variables in place: one call of the addon for all of a network. */
export function torchUpdates({ native, backend, at, scope }: Kit): Updates {
  const tensor = (handle: Handle): Tensor =>
    engine().makeTensorFromTensorInfo(backend.adopt(handle)) as unknown as Tensor;

  /** Handles that variables have to themselves. The addon sees where their memory still has other readers, who keep it as it is. */
  const written = (variables: readonly Variable[]): Handle[] =>
    variables.map((variable) => {
      if (!backend.isAlone(variable)) {
        const alone = tensor(native.alias(at(variable)));
        variable.assign(alone);
        alone.dispose();
      }
      return backend.toBeWritten(variable.dataId);
    });

  return {
    plusScaled: (a, b, factor) => scope(() => native.plusScaled(a.map(at), b.map(at), factor).map(tensor)),
    sgd: ({ parameters, gradients, velocity = [] }, { rate, momentum, nesterov }) =>
      scope(() => native.sgd(written(parameters), gradients.map(at), written(velocity), rate, momentum, nesterov)),
    approach: (variables, targets, share) => scope(() => native.approach(written(variables), targets.map(at), share)),
    blend: ({ variables, values }, { keep, add }) =>
      scope(() => native.blend(written(variables), keep, values.map(at), add)),
    sums: (variables) => scope(() => tensor(native.sums(variables.map(at))) as Tensor1D),
  };
}
