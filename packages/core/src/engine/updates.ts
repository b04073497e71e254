import * as tf from '../tensor/index.js';
import { currentSession } from './current.js';
import type { Updates } from './engine.js';

/** Updates made of TensorFlow.js's operations: each variable gets a new tensor. */
const opByOp: Updates = {
  plusScaled: (a, b, factor) => a.map((each, i) => tf.tidy(() => tf.add(each, tf.mul(b[i]!, factor)))),
  sgd({ parameters, gradients, velocity }, { rate, momentum, nesterov }) {
    parameters.forEach((parameter, i) =>
      tf.tidy(() => {
        const [g, v] = [gradients[i]!, velocity?.[i]];
        v?.assign(tf.add(tf.mul(v, momentum), g));
        const direction = !v ? g : nesterov ? tf.add(g, tf.mul(v, momentum)) : v;
        parameter.assign(tf.sub(parameter, tf.mul(direction, rate)));
      }),
    );
  },
  approach: (variables, targets, share) =>
    variables.forEach((variable, i) =>
      tf.tidy(() => variable.assign(tf.add(variable, tf.mul(tf.sub(targets[i]!, variable), share)))),
    ),
  blend: ({ variables, values }, { keep, add }) =>
    variables.forEach((variable, i) =>
      tf.tidy(() => variable.assign(tf.add(tf.mul(variable, keep[i]!), tf.mul(values[i]!, add[i]!)))),
    ),
  sums: (variables) =>
    variables.length === 0
      ? tf.tensor1d([])
      : tf.tidy(() => tf.stack(variables.map((each) => tf.sum(each))) as tf.Tensor1D),
};

/** How the current engine updates variables: by itself if it can, else op by op. */
export const currentUpdates = (): Updates => currentSession()?.updates ?? opByOp;
