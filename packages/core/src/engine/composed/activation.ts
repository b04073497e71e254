import { add, elu, leakyRelu, minimum, mul, relu, relu6, sigmoid, tanh } from '../../tensor/index.js';
import type { Tensor } from '../../tensor/index.js';

/** What TensorFlow.js's fused kernels do after the product. */
export interface FusedActivation {
  readonly activation?: string;
  readonly leakyreluAlpha?: number;
}

const activations: Readonly<Record<string, (x: Tensor, alpha: number) => Tensor>> = {
  linear: (x) => x,
  relu: (x) => relu(x),
  relu6: (x) => relu6(x),
  elu: (x) => elu(x),
  sigmoid: (x) => sigmoid(x),
  tanh: (x) => tanh(x),
  leakyrelu: (x, alpha) => leakyRelu(x, alpha),
};

/** x where it is positive, slopes x where it is negative; slopes are broadcast to x. */
export const parametricRelu = (x: Tensor, slopes: Tensor): Tensor => add(relu(x), mul(slopes, minimum(x, 0)));

/** The activation of a fused kernel on its own. */
export function activate(
  x: Tensor,
  { activation = 'linear', leakyreluAlpha = 0 }: FusedActivation,
  slopes?: Tensor,
): Tensor {
  if (activation === 'prelu') return parametricRelu(x, slopes!);
  const known = activations[activation];
  if (!known) throw new Error(`activation ${activation} of a fused kernel is not known`);
  return known(x, leakyreluAlpha);
}
