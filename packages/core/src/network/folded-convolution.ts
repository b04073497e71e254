import { zeros } from '../tensor/index.js';
import type { Tensor, Tensor1D, Tensor4D } from '../tensor/index.js';
import { conv2dBias, conv2dInputGrad, reluGrad } from '../ops/index.js';
import type { FoldedWeights, Weights } from './folded-weights.js';
import type { BackwardContext, Backward, Forward, LayerContext } from './layer.js';
import type { Step } from './plan.js';

/** Is this step a convolution with more in it than the convolution itself? */
export const isFolded = ({ node, norm, relu }: Step): boolean =>
  node.op === 'conv' && (norm !== undefined || relu === true);

function weightsOf(step: Step, { value }: LayerContext, folded: FoldedWeights): Weights {
  const { name, bias, filters } = step.node as Extract<Step['node'], { op: 'conv' }>;
  if (step.norm !== undefined) return folded.of(step, value);
  return {
    filter: value(`${name}.weight`) as Tensor4D,
    bias: (bias ? value(`${name}.bias`) : zeros([filters])) as Tensor1D,
  };
}

/** A convolution with what follows it, in one op. Parameters are constants to it. */
export function foldedForward(step: Step, x: Tensor, context: LayerContext, folded: FoldedWeights): Forward {
  const { stride, padding } = step.node as Extract<Step['node'], { op: 'conv' }>;
  const weights = weightsOf(step, context, folded);
  const y = conv2dBias(x as Tensor4D, weights, { stride, padding, relu: step.relu === true });
  // a filter with a BatchNorm in it outlives what `folded` keeps; a variable is looked up again
  const filter = step.norm === undefined ? [] : [weights.filter.clone()];
  return { y, residuals: [...filter, ...(step.relu ? [y] : [])] };
}

/** The gradient with respect to the step's input. */
export function foldedBackward(step: Step, dy: Tensor, context: BackwardContext): Backward {
  const { stride, padding, name } = step.node as Extract<Step['node'], { op: 'conv' }>;
  const residuals = [...context.residuals];
  const filter = (step.norm === undefined ? context.value(`${name}.weight`) : residuals.shift()!) as Tensor4D;
  const dz = (step.relu ? reluGrad({ dy, y: residuals[0]! }, {}) : dy) as Tensor4D;
  const inputShape = context.shapes[0] as Tensor4D['shape'];
  return { inputs: [conv2dInputGrad({ dy: dz, filter }, { stride, padding, inputShape })] };
}
