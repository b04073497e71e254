import { beforeAll, expect, it } from '@jest/globals';
import { createNetwork, createRandom, networkGraph, surrounded, useEngine, type Network } from '@bulwark/core';
import { countingClassifier } from '@bulwark/core/classifier';
import * as tf from '@tensorflow/tfjs-core';
import { toLayersModel } from './layers/to-layers.js';
import { encodeOnnxModel } from './onnx/to-onnx.js';
import { encodeWeights } from './weights/save.js';

beforeAll(() => useEngine('wasm'));

it('a model between functions is not exported without them, however it is wrapped; its weights can be written', () => {
  const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
  const model = createNetwork(graph, { name: 'linear', random: createRandom(1) });
  const cooler = surrounded(model, { after: (logits) => tf.div(logits, 2) });
  for (const each of [cooler, countingClassifier(cooler).model]) {
    const refused = expect.objectContaining({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/^linear has functions around its network/) as unknown,
    });
    expect(() => encodeOnnxModel(each)).toThrow(refused);
    expect(() => toLayersModel(each as Network)).toThrow(refused);
    expect(encodeWeights(each).length).toBeGreaterThan(0);
  }
  expect(encodeOnnxModel(countingClassifier(model).model).length).toBeGreaterThan(0);
  model.dispose();
});
