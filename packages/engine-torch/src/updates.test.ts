import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { currentUpdates } from '@bulwark/core/engine';
import { available, on, values } from '../test/kit.js';

const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];
const options = { rate: 0.1, momentum: 0.9, nesterov: true };

/** What all updates make of some variables, a constant one and one of four axes among them. */
const everyUpdate = () => {
  const variables = [values(3, 3, 4, 5), tf.ones([7]), values(6)].map((value) => tf.variable(value, false));
  const velocity = variables.map((variable) => tf.variable(tf.zerosLike(variable), false));
  const updates = currentUpdates();
  const more = () => variables.map(({ shape }) => values(...shape));
  for (let step = 0; step < 3; step++) {
    const gradients = updates.plusScaled(more(), variables, 0.01);
    updates.sgd({ parameters: variables, gradients, velocity }, { ...options, nesterov: step !== 1 });
    updates.sgd({ parameters: variables, gradients }, { ...options, momentum: 0 });
    updates.approach(variables, more(), 0.3);
    updates.blend({ variables, values: more() }, { keep: [0.9, 0.8, 0.7], add: [0.1, 0.2, 0.3] });
  }
  const found: tf.Tensor[] = [...variables, ...velocity].map((variable) => variable.clone());
  found.push(updates.sums(variables), updates.sums([]));
  tf.dispose([...variables, ...velocity]);
  return found;
};

(available ? describe : describe.skip)('updates in place', () => {
  it('find what TensorFlow.js finds op by op, and leave nothing behind', async () => {
    const [expected, found] = [await on('cpu', everyUpdate), await on('torch', everyUpdate)];
    expect(found.left).toBe(0);
    found.results.forEach(({ values: list, shape }, i) => {
      expect(shape).toEqual(expected.results[i]!.shape);
      list.forEach((value, at) => expect(value).toBeCloseTo(expected.results[i]!.values[at]!, 5));
    });
  });

  // whatever else has a variable's data, or sees its memory in another form
  it.each<[string, (variable: tf.Variable) => tf.Tensor]>([
    ['a copy', (variable) => variable.clone()],
    ['another shape', (variable) => tf.reshape(variable, [2, 3])],
    ['a slice', (variable) => tf.slice(variable, 1, 3)],
    ['a transposed form', (variable) => tf.transpose(tf.reshape(variable, [2, 3]))],
    ['another variable', (variable) => tf.variable(variable, false)],
    ['what the variable was made of', (variable) => tf.reshape(variable, [6, 1])],
  ])('leave %s as it was', async (_what, share) => {
    await tf.setBackend('torch');
    const variable = tf.variable(tf.tensor1d([1, 2, 3, 4, 5, 6]), false);
    const shared = share(variable);
    const before = numbers(shared);
    currentUpdates().approach([variable], [tf.zeros([6])], 0.5);
    expect(numbers(variable)).toEqual([0.5, 1, 1.5, 2, 2.5, 3]);
    expect(numbers(shared)).toEqual(before);
    tf.dispose([variable, shared]);
  });

  it('write to a variable that was made of another shape', async () => {
    await tf.setBackend('torch');
    const variable = tf.variable(tf.reshape(tf.tensor1d([1, 2, 3, 4]), [2, 2]), false);
    currentUpdates().approach([variable], [tf.zeros([2, 2])], 0.5);
    expect(numbers(variable)).toEqual([0.5, 1, 1.5, 2]);
    variable.dispose();
  });

  it('see in a sum that one number of a variable is not finite', async () => {
    await tf.setBackend('torch');
    const variables = [[1, 2], [1, NaN, 3], [Infinity], [-2.5]].map((list) => tf.variable(tf.tensor1d(list), false));
    const sums = currentUpdates().sums(variables);
    expect(numbers(sums)).toEqual([3, NaN, Infinity, -2.5]);
    tf.dispose([sums, ...variables]);
  });

  it('refuse shapes and numbers of tensors that do not go together', async () => {
    await tf.setBackend('torch');
    const variable = tf.variable(tf.zeros([2]), false);
    const { approach, blend, sgd } = currentUpdates();
    expect(() => approach([variable], [tf.ones([3])], 1)).toThrow(/float32 \[3\] is to update float32 \[2\]/);
    expect(() => approach([variable], [], 1)).toThrow('lists differ in length');
    expect(() => blend({ variables: [variable], values: [tf.ones([2])] }, { keep: [1], add: [] })).toThrow(
      'one factor for each',
    );
    expect(() => sgd({ parameters: [variable], gradients: [tf.ones([2])] }, options)).toThrow('lists differ in length');
    expect(numbers(variable)).toEqual([0, 0]);
    variable.dispose();
  });
});
