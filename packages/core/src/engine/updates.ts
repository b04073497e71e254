import { approached, momentumStep, weightedSum } from '../ops/index.js';
import * as tf from '../tensor/index.js';
import { currentSession } from './current.js';
import type { Updates } from './engine.js';

/** Updates variable by variable: each gets a new tensor. */
const opByOp: Updates = {
  plusScaled: (a, b, factor) => a.map((each, i) => weightedSum({ a: each, b: b[i]! }, { ofA: 1, ofB: factor })),
  sgd({ parameters, gradients, velocity }, { rate, momentum, nesterov }) {
    parameters.forEach((parameter, i) =>
      tf.tidy(() => {
        const [gradient, before] = [gradients[i]!, velocity?.[i]];
        if (!before) return parameter.assign(weightedSum({ a: parameter, b: gradient }, { ofA: 1, ofB: -rate }));
        const [after, next] = momentumStep({ parameter, gradient, velocity: before }, { rate, momentum, nesterov });
        before.assign(next!);
        parameter.assign(after!);
      }),
    );
  },
  approach: (variables, targets, share) =>
    variables.forEach((variable, i) =>
      tf.tidy(() => variable.assign(approached({ variable, aim: targets[i]! }, { share }))),
    ),
  blend: ({ variables, values }, { keep, add }) =>
    variables.forEach((variable, i) =>
      tf.tidy(() => variable.assign(weightedSum({ a: variable, b: values[i]! }, { ofA: keep[i]!, ofB: add[i]! }))),
    ),
  sums: (variables) =>
    variables.length === 0
      ? tf.tensor1d([])
      : tf.tidy(() => tf.stack(variables.map((each) => tf.sum(each))) as tf.Tensor1D),
};

/** How the current engine updates variables: by itself if it can, else op by op. */
export const currentUpdates = (): Updates => currentSession()?.updates ?? opByOp;
