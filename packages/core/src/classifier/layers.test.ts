import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { useEngine } from '../engine/index.js';
import { createRandom } from '../random.js';
import { logitGradients, logitsOf } from './gradients.js';
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
const close = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!);

describe('a layers model of a user', () => {
  it('becomes a classifier whose logits are those before its softmax, and stays what it was for the user', () => {
    const model = user();
    const x = images();
    const before = model.predict(x) as tf.Tensor;
    const classifier = classifierOfLayers(model, { name: 'mine' });
    const logits = logitsOf(classifier, x);
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
    const batch = logitsOf(classifier, x, 'batch');
    expect(running()).toEqual(start);
    expect(close(batch, logitsOf(classifier, x))).toBeGreaterThan(1e-3);
    expect(close(logitsOf(classifier, x, 'train'), batch)).toBe(0);

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
    const tensors = tf.memory().numTensors;
    const loss = (logits: tf.Tensor2D) => tf.square(logits);
    for (const mode of ['batch', 'eval'] as const) {
      const pass = classifier.pass([x, x], { mode, wrt: 'all' });
      const { value, dLogits } = logitGradients(pass.logits, (a, b) => tf.add(loss(a!), tf.mul(2, loss(b!))));
      const kept = pass.pullback(dLogits, { keep: true });
      const found = pass.pullback(dLogits);
      expect(() => pass.pullback(dLogits)).toThrow(/called twice/);
      // the tape's own gradients, of the same function
      const of = (points: tf.Tensor) => tf.sum(loss(classifier.taped(points as tf.Tensor4D, mode))) as tf.Scalar;
      const { value: sum, grads } = tf.variableGrads(() => of(x), [...classifier.parameters.values()]);
      const direct = tf.grad(of)(x);
      expect(close(found.images[0]!, direct)).toBeLessThan(1e-5);
      const twice = tf.mul(2, direct);
      expect(close(found.images[1]!, twice)).toBeLessThan(1e-5);
      twice.dispose();
      expect([...found.parameters.keys()]).toEqual([...classifier.parameters.keys()]);
      for (const [name, gradient] of found.parameters) {
        const own = grads[classifier.parameters.get(name)!.name]!;
        const [off, largest] = tf.tidy(() => [
          close(gradient, tf.mul(3, own)),
          close(own, tf.zerosLike(own)),
        ]) as unknown as [number, number];
        expect(off).toBeLessThan(1e-4 * largest + 1e-5);
        expect(close(kept.parameters.get(name)!, gradient)).toBe(0);
      }
      tf.dispose([...kept.images, ...kept.parameters.values(), ...found.images, ...found.parameters.values()]);
      tf.dispose([value, sum, direct, ...Object.values(grads), ...dLogits.map((each) => each!)]);
      pass.dispose();
    }
    expect(tf.memory().numTensors).toBe(tensors);
    classifier.dispose();
  });

  it('keeps no tensors from a pass', () => {
    const classifier = classifierOfLayers(user());
    const x = images();
    logitsOf(classifier, x, 'train').dispose();
    const before = tf.memory().numTensors;
    for (const mode of ['train', 'batch', 'eval'] as const) logitsOf(classifier, x, mode).dispose();
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
    expect(close(tf.softmax(logitsOf(classifier, x)), expected)).toBeLessThan(1e-6);
    const { statistics } = classifier.pass([x], { mode: 'batch', wrt: 'nothing' });
    expect([...statistics[0]!.keys()]).toEqual(['inside']);
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

describe('a layer that TensorFlow.js does not compute as it is written', () => {
  const at = {
    inputShape: [9, 9, 2],
    kernelSize: 3,
    padding: 'same' as const,
    dilationRate: [2, 2] as [number, number],
  };
  it.each([
    ['DepthwiseConv2D', () => tfl.layers.depthwiseConv2d(at)],
    ['Conv2DTranspose', () => tfl.layers.conv2dTranspose({ ...at, filters: 3 })],
  ])('is refused: dilated %s', (kind, layer) => {
    const model = tfl.sequential({ layers: [layer(), tfl.layers.flatten(), tfl.layers.dense({ units: 3 })] });
    expect(() => classifierOfLayers(model)).toThrow(new RegExp(`computes ${kind} without its dilation of \\[2, 2\\]`));
    // the same within a model within the model
    const outer = tfl.sequential({ layers: [model, tfl.layers.dense({ units: 2 })] });
    expect(() => classifierOfLayers(outer)).toThrow(/without its dilation/);
  });

  it.each([
    ['SeparableConv2D', () => tfl.layers.separableConv2d({ ...at, filters: 3 })],
    ['Conv2D', () => tfl.layers.conv2d({ ...at, filters: 3 })],
  ])('is not one that is dilated: %s', (_kind, layer) => {
    const model = tfl.sequential({ layers: [layer(), tfl.layers.flatten(), tfl.layers.dense({ units: 3 })] });
    expect(() => classifierOfLayers(model)).not.toThrow();
  });
});
