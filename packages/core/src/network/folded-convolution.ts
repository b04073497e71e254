import { add, mul, neg, rsqrt, sub, zeros } from '../tensor/index.js';
import type { Tensor, Tensor1D, Tensor4D } from '../tensor/index.js';
import { conv2dBias, conv2dInputGrad, reluGrad } from '../ops/index.js';
import type { BackwardContext, Backward, Forward, LayerContext } from './layer.js';
import { batchNormEpsilon } from './layers/batch-norm.js';
import type { Step } from './plan.js';

/** Filter and bias with the BatchNorm that follows in them: s w and s (b - mean) + beta, s = gamma / sqrt(var + epsilon). */
function foldedWeights({ node, norm }: Step, { value }: LayerContext): { filter: Tensor4D; bias: Tensor1D } {
  const { name, bias: biased, filters } = node as Extract<Step['node'], { op: 'conv' }>;
  const filter = value(`${name}.weight`) as Tensor4D;
  const own = biased ? value(`${name}.bias`) : undefined;
  if (norm === undefined) return { filter, bias: (own ?? zeros([filters])) as Tensor1D };
  const scale = mul(value(`${norm}.weight`), rsqrt(add(value(`${norm}.running_var`), batchNormEpsilon)));
  const mean = value(`${norm}.running_mean`);
  const bias = add(mul(own ? sub(own, mean) : neg(mean), scale), value(`${norm}.bias`)) as Tensor1D;
  return { filter: mul(filter, scale), bias };
}

/** Is this step a convolution with more in it than the convolution itself? */
export const isFolded = ({ node, norm, relu }: Step): boolean =>
  node.op === 'conv' && (norm !== undefined || relu === true);

/** A convolution with what follows it, in one op. Parameters are constants to it. */
export function foldedForward(step: Step, x: Tensor, context: LayerContext): Forward {
  const { stride, padding } = step.node as Extract<Step['node'], { op: 'conv' }>;
  const weights = foldedWeights(step, context);
  const y = conv2dBias(x as Tensor4D, weights, { stride, padding, relu: step.relu === true });
  // a filter that was computed is kept; a variable is looked up again
  const filter = step.norm === undefined ? [] : [weights.filter];
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
