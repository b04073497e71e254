import type { NamedAttrMap, Tensor } from '../../tensor/index.js';

/** A kernel made of others, under TensorFlow.js's name for it; it need not free what it makes. */
export interface ComposedKernel {
  readonly name: string;
  readonly compute: (inputs: Readonly<Record<string, Tensor>>, attrs: NamedAttrMap) => Tensor;
}

/** Names its inputs and attributes for the compiler. */
export function composed<Inputs extends object, Attrs extends object>(
  name: string,
  compute: (inputs: Inputs, attrs: Attrs) => Tensor,
): ComposedKernel {
  return { name, compute: compute as unknown as ComposedKernel['compute'] };
}
