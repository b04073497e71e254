import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  createNetwork,
  createRandom,
  crossEntropy,
  inputGradient,
  logitGradients,
  logitsOf,
  networkGraph,
  useEngine,
  type Network,
  type NetworkGraph,
  type PassRequest,
} from '@bulwark/core';
import { goldenGraph } from '@bulwark/models';
import * as tf from '@tensorflow/tfjs-core';
import { loadTensorflow, tensorflow } from '../index.js';

const load = await loadTensorflow();
const test = load.available && !load.engine.gpu ? it : it.skip;
beforeAll(async () => {
  if (load.available) await useEngine('tensorflow', { engines: [tensorflow] });
});

const networkOf = (graph: NetworkGraph): Network =>
  createNetwork(graph, { name: 'test', random: createRandom(7, 'weights') });
const imagesOf = ({ inputShape }: NetworkGraph, batch: number, seed = 3): tf.Tensor4D =>
  tf.randomUniform([batch, ...inputShape], 0, 1, 'float32', seed);

const lossOf = (...logits: tf.Tensor2D[]): tf.Tensor =>
  tf.addN(
    logits.map((each) => {
      const labels = tf.tensor1d(Int32Array.from({ length: each.shape[0] }, (_, i) => i % 10));
      return tf.sum(crossEntropy(each, labels));
    }),
  );

/** Makes a pass and its pullback, and frees all of it. */
function passAndBack(network: Network, images: readonly tf.Tensor4D[], request: PassRequest): void {
  tf.tidy(() => {
    const pass = network.pass(images, request);
    pass.pullback(logitGradients(pass.logits, lossOf).dLogits);
    pass.dispose();
  });
}

describe('the native engine', () => {
  test('runs attacks, and two batches that weights learn from, as graphs', async () => {
    const network = networkOf(goldenGraph('resnet18_w4'));
    const images = [3, 4].map((seed) => imagesOf(network.graph, 8, seed));
    const convolutions = async (request: PassRequest, count: number) => {
      passAndBack(network, images.slice(0, count), request);
      const { kernels } = await tf.profile(() => passAndBack(network, images.slice(0, count), request));
      return kernels.filter(({ name }) => /Conv/.test(name)).length;
    };
    for (const mode of ['eval', 'batch'] as const) expect(await convolutions({ mode, wrt: 'images' }, 1)).toBe(0);
    expect(await convolutions({ mode: 'batch', wrt: 'parameters' }, 2)).toBe(0);
    expect(await convolutions({ mode: 'batch', wrt: 'parameters' }, 1)).toBeGreaterThan(0);
    expect(network.opByOpBecause()).toBeUndefined();
    tf.dispose(images);
    network.dispose();
  });

  test('says why it runs a network op by op, and computes the same', () => {
    // it has no graph for padding on one side
    const graph = networkGraph([7, 6, 2], (g) => {
      const stem = g.silu(g.batchNorm('bn1', g.conv('c1', g.input, { filters: 4, kernel: 3 })));
      const cut = g.conv('c2', g.pad(stem, { bottom: 1, right: 1 }), { filters: 4, kernel: 3, stride: 2, padding: 0 });
      return g.linear('fc', g.flatten(cut), { units: 10 });
    });
    const network = networkOf(graph);
    expect(network.opByOpBecause()).toMatch(/no graph for layers of kind pad/);
    const images = imagesOf(network.graph, 2);
    const { losses } = inputGradient(network, images, { loss: (logits) => tf.sum(logits, 1) as tf.Tensor1D });
    const direct = tf.tidy(() => tf.sum(logitsOf(network, images), 1));
    expect([...losses.dataSync()]).toEqual([...direct.dataSync()]);
    tf.dispose(images);
    network.dispose();
  });
});
