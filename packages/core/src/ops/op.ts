import { engine, getBackend, getKernel, registerGradient, registerKernel, tidy } from '../tensor/index.js';
import type { GradFunc, NamedAttrMap, Tensor } from '../tensor/index.js';
import './gradients.js';

/** Named input tensors of an op. */
export type OpInputs = Record<string, Tensor>;

/** What an op is made of: its kernel's name, the composed form for engines without an own kernel, its gradient. */
export interface OpDefinition<Inputs extends OpInputs, Attrs extends object, Output extends Tensor | Tensor[]> {
  readonly name: `Bulwark${string}`;
  readonly composed: (inputs: Inputs, attrs: Attrs) => Output;
  readonly gradient?: {
    readonly inputsToSave?: (keyof Inputs & string)[];
    readonly outputsToSave?: boolean[];
    readonly of: (dy: Output, saved: Tensor[], attrs: Attrs) => Partial<Record<keyof Inputs & string, () => Tensor>>;
  };
}

/**
 * Makes an op that runs the kernel which the current engine registered under `name`, and the composed form where
 * the engine has none. A registered gradient, unlike `tf.customGrad`, is evaluated per requested input only: an
 * attack never pays for filter gradients.
 */
export function defineOp<Inputs extends OpInputs, Attrs extends object, Output extends Tensor | Tensor[]>(
  definition: OpDefinition<Inputs, Attrs, Output>,
): (inputs: Inputs, attrs: Attrs) => Output {
  const { name, composed, gradient } = definition;
  if (gradient) {
    registerGradient({
      kernelName: name,
      inputsToSave: gradient.inputsToSave ?? [],
      outputsToSave: gradient.outputsToSave ?? [],
      gradFunc: ((dy: unknown, saved: Tensor[], attrs: unknown) =>
        gradient.of(dy as Output, saved, attrs as Attrs)) as unknown as GradFunc,
    });
  }
  return (inputs, attrs) => {
    const backendName = getBackend();
    if (!getKernel(name, backendName)) {
      registerKernel({
        kernelName: name,
        backendName,
        kernelFunc: (call) => tidy(() => composed(call.inputs as unknown as Inputs, call.attrs as unknown as Attrs)),
      });
    }
    return engine().runKernel(name, inputs, attrs as NamedAttrMap) as unknown as Output;
  };
}
