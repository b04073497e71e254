import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, logitsOf, useEngine, type Network } from '@bulwark/core';
import { goldenWeights, readModelGolden, type TinyGolden } from './golden.js';
import { goldenNetwork } from './golden-networks.js';
import { loadWeights } from './weights/load.js';

beforeAll(() => useEngine('wasm'));

const largestDifference = (actual: ArrayLike<number>, expected: readonly number[]) =>
  expected.reduce((largest, value, i) => Math.max(largest, Math.abs(actual[i]! - value)), 0);
const relative = (actual: ArrayLike<number>, expected: readonly number[]) =>
  largestDifference(actual, expected) / Math.max(...expected.map(Math.abs));

function load(name: string): { network: Network; golden: TinyGolden; images: tf.Tensor4D; labels: tf.Tensor1D } {
  const network = goldenNetwork(name.startsWith('fmnist') ? 'small-cnn' : name);
  loadWeights(network, goldenWeights(name));
  const golden = readModelGolden<TinyGolden>(name);
  const pixels = Float32Array.from(golden.images_uint8.data, (byte) => byte / 255);
  const images = tf.tensor4d(pixels, golden.images_uint8.shape as [number, number, number, number]);
  return { network, golden, images, labels: tf.tensor1d(golden.labels_for_gradient ?? [], 'int32') };
}

const tiny = ['wrn-10-1', 'resnet18_w6', 'preactresnet18_w6', 'vgg11_w6'];

describe.each(tiny)('%s against the official code', (name) => {
  it('has its logits in eval mode', () => {
    const { network, golden, images } = load(name);
    expect(largestDifference(logitsOf(network, images).dataSync(), golden.logits_eval.flat())).toBeLessThan(1e-4);
    network.dispose();
  });

  it('has its logits with batch statistics', () => {
    const { network, golden, images } = load(name);
    expect(largestDifference(logitsOf(network, images, 'batch').dataSync(), golden.logits_train.flat())).toBeLessThan(
      1e-3,
    );
    network.dispose();
  });

  it('has its input gradients in eval mode', () => {
    const { network, golden, images, labels } = load(name);
    const gradient = tf.grad((x) => tf.sum(crossEntropy(logitsOf(network, x as tf.Tensor4D), labels)))(images);
    const perImage = tf.reshape(gradient, [images.shape[0], -1]);
    const row = tf.slice(gradient, [0, 0, 0, 0], [1, 1, 32, 3]);
    expect(relative(row.dataSync(), golden.input_gradient_eval_first_image_row0.data)).toBeLessThan(1e-3);
    expect(relative(tf.sum(tf.abs(perImage), 1).dataSync(), golden.input_gradient_eval_l1)).toBeLessThan(1e-3);
    // a sum of numbers of both signs: its error is relative to their size, not to what is left
    const scale = Math.max(...golden.input_gradient_eval_l1);
    expect(largestDifference(tf.sum(perImage, 1).dataSync(), golden.input_gradient_eval_sum) / scale).toBeLessThan(
      1e-4,
    );
    network.dispose();
  });

  it('has its parameter gradients with batch statistics, each by its norm', () => {
    const { network, golden, images, labels } = load(name);
    const { value, grads } = tf.variableGrads(
      () => tf.mean(crossEntropy(logitsOf(network, images, 'batch'), labels)) as tf.Scalar,
      [...network.parameters.values()],
    );
    expect(Math.abs(value.dataSync()[0]! - golden.train_loss_mean_ce)).toBeLessThan(1e-4);
    const expected = Object.entries(golden.param_grad_l2_train).filter(([, norm]) => norm !== null);
    expect(expected.map(([parameter]) => parameter)).toEqual([...network.parameters.keys()]);
    const largest = Math.max(...expected.map(([, norm]) => norm!));
    for (const [parameter, norm] of expected) {
      const ours = tf.norm(grads[network.parameters.get(parameter)!.name]!).dataSync()[0]!;
      // biases before a BatchNorm have a gradient of zero, of which rounding is all that remains
      expect(Math.abs(ours - norm!)).toBeLessThan(1e-3 * norm! + 1e-6 * largest);
    }
    network.dispose();
  });

  it('has its running statistics after one forward pass in train mode', () => {
    const { network, golden, images } = load(name);
    logitsOf(network, images, 'train');
    for (const [layer, { mean, var: variance }] of Object.entries(golden.running_stats_after_one_train_forward)) {
      expect(relative(network.statistics.get(`${layer}.running_mean`)!.dataSync(), mean)).toBeLessThan(1e-4);
      expect(relative(network.statistics.get(`${layer}.running_var`)!.dataSync(), variance)).toBeLessThan(1e-4);
    }
    network.dispose();
  });
});

describe('the network of the reference study', () => {
  it('has the logits and predictions of the official code', () => {
    const { network, images } = load('fmnist-small-trades');
    const golden = readModelGolden<{ logits_float64: number[][]; predictions: number[] }>('fmnist-small-trades');
    const logits = logitsOf(network, images);
    expect(largestDifference(logits.dataSync(), golden.logits_float64.flat())).toBeLessThan(1e-4);
    expect([...tf.argMax(logits, 1).dataSync()]).toEqual(golden.predictions.slice(0, images.shape[0]));
    network.dispose();
  });
});
