import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import type { ImageSet, ImageShape } from '../batch.js';
import { createNetwork, type Network } from '../classifier/index.js';
import { networkGraph } from '../network/index.js';
import { createRandom, mulberry32, randomFrom, type Random } from '../random.js';

/** A tensor in a golden file: row-major, images NHWC. */
export interface GoldenTensor {
  readonly shape: number[];
  readonly data: number[];
}

/** Reads `fixtures/attacks/<name>.json.gz`: numbers that the official code of each attack produced. */
export function readGolden<T>(name: string): T {
  const file = new URL(`../../fixtures/attacks/${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as T;
}

/** The stream that the golden runs drew from: tensors are filled channel plane by channel plane. */
export const goldenRandom = (seed: number): Random => randomFrom(mulberry32(seed), { imageOrder: 'nchw' });

/** The classifier of the golden files, as they hold it. */
export interface ToyModel {
  readonly layers: {
    readonly [conv: `conv${number}`]: { readonly kernel: GoldenTensor };
    readonly [bn: `bn${number}`]: {
      readonly gamma: number[];
      readonly beta: number[];
      readonly mean: number[];
      readonly var: number[];
    };
    readonly fc: { readonly kernel: GoldenTensor; readonly bias: number[] };
  };
}

const toyGraph = networkGraph([16, 16, 3], (g) => {
  let x = g.input;
  for (const [i, filters] of [12, 16, 16].entries()) {
    x = g.conv(`conv${i + 1}`, x, { filters, kernel: 3, stride: i === 0 ? 1 : 2 });
    x = g.relu(g.batchNorm(`bn${i + 1}`, x));
  }
  return g.linear('fc', g.globalAveragePool(x), { units: 10 });
});

/** The small adversarially trained classifier of the golden files (16x16x3 images, 10 classes). */
export function toyClassifier(model: ToyModel = readGolden<ToyModel>('toy-model')): Network {
  const { layers } = model;
  const network = createNetwork(toyGraph, { name: 'toy', random: createRandom(0) });
  const assign = (name: string, values: number[]) => {
    const variable = (network.parameters.get(name) ?? network.statistics.get(name))!;
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape, 'float32')));
  };
  for (const i of [1, 2, 3]) {
    const bn = layers[`bn${i}`]!;
    assign(`conv${i}.weight`, layers[`conv${i}`]!.kernel.data);
    assign(`bn${i}.weight`, bn.gamma);
    assign(`bn${i}.bias`, bn.beta);
    assign(`bn${i}.running_mean`, bn.mean);
    assign(`bn${i}.running_var`, bn.var);
  }
  assign('fc.weight', layers.fc.kernel.data);
  assign('fc.bias', layers.fc.bias);
  return network;
}

interface ToyImages {
  readonly shape: number[];
  readonly base64: string;
  readonly labels: number[];
  readonly logits: number[][];
}

/** The 64 test images of the golden files, with the reference's logits. */
export function toyImages(): ImageSet & { readonly logits: number[][] } {
  const { shape, base64, labels, logits } = readGolden<ToyImages>('toy-images');
  return {
    images: new Uint8Array(Buffer.from(base64, 'base64')),
    labels: Int32Array.from(labels),
    shape: shape.slice(1) as unknown as ImageShape,
    logits,
  };
}
