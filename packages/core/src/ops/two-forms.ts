import { getBackend } from '../tensor/index.js';

// One entry per backend, as TensorFlow.js holds its backends in one place, too.
const hostBackends = new Set<string>();

/** Says of a backend whether its tensors live in the processor's memory, so that a look at them costs no more than a copy. */
export function markHostMemory(backend: string, hostMemory: boolean): void {
  if (hostMemory) hostBackends.add(backend);
  else hostBackends.delete(backend);
}

/**
 * One function in two forms with the same result. Where a look at a tensor makes a GPU wait, it is made of tensor ops; where tensors live in the
 * processor's memory, dozens of passes over them would cost more than one loop that ends when it is done.
 */
export function inTwoForms<Arguments extends unknown[], Result>(forms: {
  readonly onHost: (...args: Arguments) => Result;
  readonly asTensors: (...args: Arguments) => Result;
}): (...args: Arguments) => Result {
  return (...args) => (hostBackends.has(getBackend()) ? forms.onHost(...args) : forms.asTensors(...args));
}
