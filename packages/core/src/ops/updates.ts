import { add, mul, sub } from '../tensor/index.js';
import type { Tensor } from '../tensor/index.js';
import { defineOp } from './op.js';

/** `ofA * a + ofB * b`, of one shape; not differentiable. */
export const weightedSum = defineOp<{ a: Tensor; b: Tensor }, { ofA: number; ofB: number }, Tensor>({
  name: 'BulwarkWeightedSum',
  composed: ({ a, b }, { ofA, ofB }) => add(ofA === 1 ? a : mul(a, ofA), mul(b, ofB)),
});

/** `variable + share * (aim - variable)`; not differentiable. */
export const approached = defineOp<{ variable: Tensor; aim: Tensor }, { share: number }, Tensor>({
  name: 'BulwarkApproached',
  composed: ({ variable, aim }, { share }) => add(variable, mul(sub(aim, variable), share)),
});

/** One update of SGD with momentum as PyTorch makes it: the parameter after it, and the velocity. */
export const momentumStep = defineOp<
  { parameter: Tensor; gradient: Tensor; velocity: Tensor },
  { rate: number; momentum: number; nesterov: boolean },
  Tensor[]
>({
  name: 'BulwarkMomentumStep',
  composed: ({ parameter, gradient, velocity }, { rate, momentum, nesterov }) => {
    const next = add(mul(velocity, momentum), gradient);
    const direction = nesterov ? add(gradient, mul(next, momentum)) : next;
    return [sub(parameter, mul(direction, rate)), next];
  },
});
