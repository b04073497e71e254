import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { useEngine } from '../engine/index.js';
import { createRandom } from '../random.js';
import { classifierOfLayers } from './layers.js';

beforeAll(() => useEngine('wasm'));
afterEach(() => tf.disposeVariables());

const user = (last: 'linear' | 'softmax' | 'sigmoid' = 'softmax') =>
  tfl.sequential({
    layers: [
      tfl.layers.conv2d({ inputShape: [6, 6, 2], filters: 4, kernelSize: 3, name: 'conv' }),
      tfl.layers.batchNormalization({ name: 'bn', epsilon: 1e-3 }),
      tfl.layers.reLU(),
      tfl.layers.flatten(),
      tfl.layers.dropout({ rate: 0.5 }),
      tfl.layers.dense({ units: 3, activation: last, name: 'head' }),
    ],
  });
const images = () => createRandom(1).uniform<tf.Rank.R4>([5, 6, 6, 2]);
const close = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;

describe('a layers model of a user', () => {
  it('becomes a classifier whose logits are those before its softmax, and stays what it was for the user', () => {
    const model = user();
    const x = images();
    const before = model.predict(x) as tf.Tensor;
    const classifier = classifierOfLayers(model, { name: 'mine' });
    const logits = classifier.forward(x, 'eval');
    expect(close(tf.softmax(logits), before)).toBeLessThan(1e-6);
    expect(close(model.predict(x) as tf.Tensor, before)).toBe(0);
    expect([classifier.name, classifier.inputShape, classifier.classes]).toEqual(['mine', [6, 6, 2], 3]);
    expect([...classifier.parameters.keys()]).toHaveLength(6);
    expect([...classifier.statistics.keys()]).toEqual(['bn.running_mean', 'bn.running_var']);
    classifier.dispose();
  });

  it('normalises by batch statistics where asked, and writes running statistics in train mode only', () => {
    const classifier = classifierOfLayers(user());
    const x = images();
    const running = () => [...classifier.statistics.values()].map((variable) => [...variable.dataSync()]);
    const start = running();
    const batch = classifier.forward(x, 'batch');
    expect(running()).toEqual(start);
    expect(close(batch, classifier.forward(x, 'eval'))).toBeGreaterThan(1e-3);
    expect(close(classifier.forward(x, 'train'), batch)).toBe(0);

    const [kernel, bias] = [...classifier.parameters.values()] as unknown as [tf.Tensor4D, tf.Tensor1D];
    const features = tf.add(tf.conv2d(x, kernel, 1, 'valid'), bias);
    const { mean, variance } = tf.moments(features, [0, 1, 2]);
    const count = 5 * 4 * 4;
    const [movedMean, movedVariance] = running();
    const expected = tf.mul(mean, 0.1);
    expect(close(tf.tensor1d(movedMean!), expected)).toBeLessThan(1e-6);
    const expectedVariance = tf.add(0.9, tf.mul(variance, (0.1 * count) / (count - 1)));
    expect(close(tf.tensor1d(movedVariance!), expectedVariance)).toBeLessThan(1e-6);
    classifier.dispose();
  });

  it('has gradients with respect to its parameters and its input', () => {
    const classifier = classifierOfLayers(user('linear'));
    const x = images();
    const { grads } = tf.variableGrads(
      () => tf.sum(tf.square(classifier.forward(x, 'batch'))),
      [...classifier.parameters.values()],
    );
    expect(Object.keys(grads)).toHaveLength(6);
    const gradient = tf.grad((v) => tf.sum(tf.square(classifier.forward(v as tf.Tensor4D, 'eval'))))(x);
    expect(tf.sum(tf.abs(gradient)).dataSync()[0]).toBeGreaterThan(0);
    classifier.dispose();
  });

  it('keeps no tensors from a pass', () => {
    const classifier = classifierOfLayers(user());
    const x = images();
    classifier.forward(x, 'train').dispose();
    const before = tf.memory().numTensors;
    for (const mode of ['train', 'batch', 'eval'] as const) classifier.forward(x, mode).dispose();
    expect(tf.memory().numTensors).toBe(before);
    classifier.dispose();
  });

  it('works when models are nested and the softmax is a layer of its own', () => {
    const inner = tfl.sequential({
      layers: [
        tfl.layers.flatten({ inputShape: [6, 6, 2] }),
        tfl.layers.dense({ units: 4 }),
        tfl.layers.batchNormalization({ name: 'inside', scale: false, center: false }),
      ],
    });
    const model = tfl.sequential({
      layers: [inner, tfl.layers.dense({ units: 3 }), tfl.layers.softmax()],
    });
    const x = images();
    const expected = model.predict(x) as tf.Tensor;
    const classifier = classifierOfLayers(model);
    expect(close(tf.softmax(classifier.forward(x, 'eval')), expected)).toBeLessThan(1e-6);
    const { statistics } = classifier.forwardCapturing(x);
    expect([...statistics.keys()]).toEqual(['inside']);
    classifier.dispose();
  });

  it('is refused with a reason where it cannot be a classifier', () => {
    expect(() => classifierOfLayers(user('sigmoid'))).toThrow(/ends with sigmoid in layer head/);
    const flat = tfl.sequential({ layers: [tfl.layers.dense({ inputShape: [4], units: 2 })] });
    expect(() => classifierOfLayers(flat)).toThrow(/takes \[4\]/);
    const image = tfl.sequential({ layers: [tfl.layers.conv2d({ inputShape: [6, 6, 1], filters: 2, kernelSize: 3 })] });
    expect(() => classifierOfLayers(image)).toThrow(/returns \[4, 4, 2\]/);
    const axis = tfl.sequential({
      layers: [
        tfl.layers.batchNormalization({ inputShape: [6, 6, 2], axis: 1, name: 'rows' }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 2 }),
      ],
    });
    expect(() => classifierOfLayers(axis)).toThrow(/layer rows normalises axis 1/);
  });
});
