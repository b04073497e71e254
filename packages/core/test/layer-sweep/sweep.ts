import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { interceptGradients } from '../../src/classifier/layers-gradients.js';
import {
  interceptBatchNorm,
  type Interception,
  type Layer as InterceptedLayer,
} from '../../src/classifier/layers-intercept.js';
import { finiteDifferences } from './finite-differences.js';
import type { Layer, LayerCase } from './layer-case.js';
import { mapValues, spread, type Values } from './values.js';

const toTensor = ({ shape, data }: Values): tf.Tensor => tf.tensor(Float32Array.from(data), [...shape]);

/** Largest difference, as a share of the largest expected value. */
function difference(found: tf.Tensor, expected: Values): number {
  expect(found.shape).toEqual(expected.shape);
  const values = found.dataSync();
  const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = expected.data.reduce((most, value, index) => {
    const apart = Math.abs(value - values[index]!);
    return Number.isNaN(apart) ? Infinity : Math.max(most, apart);
  }, 0);
  return worst === 0 ? 0 : worst / largest;
}

/** A layer with weights that are all different. */
function build({ make, inputs }: LayerCase): { layer: Layer; weights: Values[] } {
  const layer = make();
  const symbols = inputs.map((shape) => tfl.input({ batchShape: [...shape] }));
  layer.apply(symbols.length === 1 ? symbols[0]! : symbols);
  const weights = layer.getWeights().map(({ shape }, index) => spread(shape, index + 3));
  layer.setWeights(weights.map(toTensor));
  return { layer, weights };
}

/** What a layer computes with and without a gradient tape, and its gradients, against double precision. */
export function differencesOf(one: LayerCase): Record<string, number> {
  return tf.tidy(() => {
    const { layer, weights } = build(one);
    const given = one.inputs.map((shape, index) =>
      mapValues(spread(shape, index), (value) => Math.fround(value * (one.scale ?? 1))),
    );
    const expected = one.reference(given, weights);
    const dy = spread(expected.shape, 5);
    const inputs = given.map(toTensor);
    const variables = layer.weights.map((weight) => weight as unknown as { val: tf.Variable });
    const trained = layer.trainableWeights.map((weight) => layer.weights.indexOf(weight));
    const run = (): tf.Tensor => layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as tf.Tensor;
    const value = run();
    // some gradients are there in a classifier's passes only
    const current: Interception = { pass: { mode: 'eval', captured: undefined } };
    const intercepted = layer as unknown as InterceptedLayer;
    if (layer.getClassName() === 'BatchNormalization') interceptBatchNorm(intercepted, current);
    else interceptGradients(intercepted, current);
    const asked = [...inputs, ...trained.map((index) => variables[index]!.val)];
    const taped = tf.engine().gradients(run, asked, toTensor(dy), true);
    const slopes = finiteDifferences(
      (args) => {
        const all = weights.map((weight, index) =>
          trained.includes(index) ? args[inputs.length + trained.indexOf(index)]! : weight,
        );
        return one.reference(args.slice(0, inputs.length), all);
      },
      { args: [...given, ...trained.map((index) => weights[index]!)], dy },
    );
    const found: Record<string, number> = {
      value: difference(value, expected),
      'value with gradients': difference(taped.value, expected),
    };
    taped.grads.forEach((gradient, index) => {
      const place = index - inputs.length;
      const name = place < 0 ? `input ${index}` : layer.trainableWeights[place]!.originalName;
      found[`gradient in ${name}`] = difference(gradient, slopes[index]!);
    });
    return found;
  });
}

/** Compares every case on the current engine. */
export function sweep(title: string, cases: readonly LayerCase[], { tolerance = 1e-5 } = {}): void {
  describe(title, () => {
    it.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => {
      const wrong = Object.entries(differencesOf(one)).filter(([, worst]) => !(worst <= tolerance));
      expect(Object.fromEntries(wrong)).toEqual({});
    });
  });
}
