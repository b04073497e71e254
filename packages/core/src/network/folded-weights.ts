import { add, backend, keep, mul, neg, rsqrt, sub, tidy } from '../tensor/index.js';
import type { Tensor, Tensor1D, Tensor4D } from '../tensor/index.js';
import { batchNormEpsilon } from './layers/batch-norm.js';
import type { Step } from './plan.js';

/** What a convolution computes with. */
export interface Weights {
  readonly filter: Tensor4D;
  readonly bias: Tensor1D;
}

/** Weights of convolutions with the BatchNorm that follows in them. */
export interface FoldedWeights {
  /** Of a step with a BatchNorm, at the current values of its variables. They stay the property of whoever is asked. */
  of(step: Step, value: (name: string) => Tensor): Weights;
  /** Frees all that are kept. */
  release(): void;
}

interface Kept extends Weights {
  readonly on: object;
  readonly madeOf: readonly object[];
}

/** Filter and bias: s w and s (b - mean) + beta, s = gamma / sqrt(var + epsilon). */
function fold({ node, norm }: Step, value: (name: string) => Tensor): Weights {
  const { name, bias: biased } = node as Extract<Step['node'], { op: 'conv' }>;
  const own = biased ? value(`${name}.bias`) : undefined;
  const scale = mul(value(`${norm}.weight`), rsqrt(add(value(`${norm}.running_var`), batchNormEpsilon)));
  const mean = value(`${norm}.running_mean`);
  const bias = add(mul(own ? sub(own, mean) : neg(mean), scale), value(`${norm}.bias`)) as Tensor1D;
  return { filter: mul(value(`${name}.weight`), scale), bias };
}

/** The data of all variables that a step's weights are made of. A variable that is assigned other values has other data from then on. */
function dataOf({ node, norm }: Step, value: (name: string) => Tensor): object[] {
  const { name, bias } = node as Extract<Step['node'], { op: 'conv' }>;
  const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${norm}.${part}`);
  return [`${name}.weight`, ...(bias ? [`${name}.bias`] : []), ...parts].map((variable) => value(variable).dataId);
}

/**
 * Weights that are computed once and kept until their variables are assigned other values: an attack makes many passes at the same ones.
 * @param writtenInPlace do variables get other values under the same data? Then nothing is kept.
 */
export function foldedWeights(writtenInPlace: () => boolean): FoldedWeights {
  const kept = new Map<string, Kept>();
  const free = ({ filter, bias }: Weights) => [filter, bias].forEach((tensor) => tensor.dispose());
  return {
    of(step, value) {
      const { name } = step.node as Extract<Step['node'], { op: 'conv' }>;
      const before = kept.get(name);
      const [on, madeOf, keeps] = [backend(), dataOf(step, value), !writtenInPlace()];
      if (keeps && before?.on === on && before.madeOf.every((data, i) => data === madeOf[i])) return before;
      if (before) free(before);
      kept.delete(name);
      if (!keeps) return fold(step, value);
      const { filter, bias } = tidy(() => {
        const made = fold(step, value);
        return { filter: keep(made.filter), bias: keep(made.bias) };
      });
      const made = { on, madeOf, filter, bias };
      kept.set(name, made);
      return made;
    },
    release() {
      for (const weights of kept.values()) free(weights);
      kept.clear();
    },
  };
}
