import { add, div, mean as meanOf, mul, rsqrt, sqrt, square, sub } from '../../tensor/index.js';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import {
  batchNormEval,
  batchNormEvalInputGrad,
  batchNormEvalParameterGrads,
  batchNormTrain,
  batchNormTrainGrad,
  batchNormTrainInputGrad,
} from '../../ops/index.js';
import { defineLayer, stockName, type LayerContext, type NodeId, type VariableSpec } from '../layer.js';
import { besselOf, gradientOverRanks, statisticsOverRanks } from './batch-norm-ranks.js';

export interface BatchNormNode {
  readonly op: 'batch-norm';
  readonly name: string;
  readonly input: NodeId;
  /** Share of the new batch in running statistics; absent: 0.1. */
  readonly momentum?: number;
}

/** PyTorch's default: added to the variance. */
export const batchNormEpsilon = 1e-5;

/** A BatchNorm's four variables, `[channels]` each. */
const variablesOf = (name: string, { value }: LayerContext) => {
  const part = (of: string) => value(`${name}.${of}`) as Tensor1D;
  return {
    gamma: part('weight'),
    beta: part('bias'),
    mean: part('running_mean'),
    variance: part('running_var'),
    epsilon: batchNormEpsilon,
  };
};

/** BatchNorm over channels, epsilon 1e-5 (Ioffe and Szegedy, 2015, Algorithm 1; arXiv:1502.03167). */
export const batchNorm = defineLayer<BatchNormNode, [name: string, input: NodeId, options?: { momentum?: number }]>({
  op: 'batch-norm',
  node: (name, from, { momentum } = {}) => ({ name, input: from, ...(momentum !== undefined && { momentum }) }),
  shape: (_node, [shape]) => shape!,
  variables: ({ name }, input) => {
    const spec = (part: string, trainable: boolean, constant: number): VariableSpec => ({
      name: `${name}.${part}`,
      shape: [input.at(-1)!],
      trainable,
      start: { constant },
    });
    return [
      spec('weight', true, 1),
      spec('bias', true, 0),
      spec('running_mean', false, 0),
      spec('running_var', false, 1),
    ];
  },
  forward: ({ name }, inputs, context) => {
    const x = inputs[0] as Tensor4D | Tensor2D;
    const variables = variablesOf(name, context);
    if (context.mode === 'eval') return { y: batchNormEval(x, variables), residuals: context.wrtParameters ? [x] : [] };
    if (context.ranks) {
      const statistics = statisticsOverRanks(x, context.ranks);
      const { mean, variance } = statistics;
      return { y: batchNormEval(x, { ...variables, mean, variance }), residuals: [x, mean, variance], statistics };
    }
    const { y, mean, variance } = batchNormTrain(x, variables.gamma, variables.beta, batchNormEpsilon);
    const count = x.size / variables.gamma.size;
    const bessel = besselOf(count);
    return { y, residuals: [x, mean, variance], statistics: { mean, variance, count, bessel } };
  },
  backward: ({ name }, dy, context) => {
    const [x, mean, variance] = context.residuals as [Tensor, Tensor1D, Tensor1D];
    const variables = variablesOf(name, context);
    const named = (dGamma: Tensor, dBeta: Tensor) => ({ [`${name}.weight`]: dGamma, [`${name}.bias`]: dBeta });
    if (context.mode === 'eval')
      return {
        inputs: [batchNormEvalInputGrad({ dy, ...variables }, { epsilon: batchNormEpsilon })],
        ...(context.wrtParameters && { parameters: named(...batchNormEvalParameterGrads(dy, x, variables)) }),
      };
    const of = { dy, x, gamma: variables.gamma, mean, variance };
    if (!context.ranks && !context.wrtParameters)
      return { inputs: [batchNormTrainInputGrad(of, { epsilon: batchNormEpsilon })] };
    const [dx, dGamma, dBeta] = context.ranks
      ? gradientOverRanks(of, { epsilon: batchNormEpsilon, ranks: context.ranks })
      : (batchNormTrainGrad(of, { epsilon: batchNormEpsilon }) as [Tensor, Tensor, Tensor]);
    return { inputs: [dx], ...(context.wrtParameters && { parameters: named(dGamma, dBeta) }) };
  },
  stock: ({ name }, [x], context) => {
    const { gamma, beta, mean, variance } = variablesOf(name, context);
    const scaled = (centred: Tensor, of: Tensor) =>
      add(mul(mul(centred, rsqrt(add(of, batchNormEpsilon))), gamma), beta);
    if (context.mode === 'eval') return scaled(sub(x!, mean), variance);
    const axes = x!.shape.map((_, axis) => axis).slice(0, -1);
    const centred = sub(x!, meanOf(x!, axes));
    // rsqrt of stock TensorFlow.js has no second gradient on every backend; 1 / sqrt has
    const deviation = sqrt(add(meanOf(square(centred), axes), batchNormEpsilon));
    return add(mul(div(centred, deviation), gamma), beta);
  },
  stockLayers: ({ name, momentum = 0.1 }, value) => [
    {
      // Keras counts momentum the other way round
      layer: layers.batchNormalization({ name: stockName(name), epsilon: batchNormEpsilon, momentum: 1 - momentum }),
      weights: () => ['weight', 'bias', 'running_mean', 'running_var'].map((part) => value(`${name}.${part}`)),
    },
  ],
  onnx: ({ name }, [x], { op, tensor, value }) => {
    const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${name}.${part}`);
    const inputs = [x!, ...parts.map((part) => tensor(part, value(part)))];
    return op('BatchNormalization', inputs, { epsilon: { float: batchNormEpsilon } });
  },
});
