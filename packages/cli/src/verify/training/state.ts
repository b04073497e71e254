import * as tf from '@tensorflow/tfjs-core';
import { isObject, numbersOf, toTensor, type Golden } from '../golden.js';

/** What methods carry from step to step, by the names of their state, as a case gives it for its first step. */
export function stateAtStart(json: Golden): Map<string, tf.Tensor> {
  const tensors = new Map<string, tf.Tensor>();
  if ('delta0' in json) tensors.set('delta', toTensor(json['delta0'], 'delta0'));
  if ('classWeights0' in json) tensors.set('weights', toTensor(json['classWeights0'], 'classWeights0'));
  const state = json['state0'];
  if (isObject(state)) {
    const errors = numbersOf(state['elleValues'], 'state0.elleValues');
    const mean = errors.reduce((sum, error) => sum + error, 0) / Math.max(errors.length, 1);
    const squares = errors.reduce((sum, error) => sum + (error - mean) ** 2, 0);
    const values = { lambda: Number(state['lambda']), count: errors.length, mean, squares };
    for (const [name, value] of Object.entries(values)) tensors.set(name, tf.scalar(value));
  }
  return tensors;
}
