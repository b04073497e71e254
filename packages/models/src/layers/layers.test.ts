import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { logitsOf, classifierOfLayers, createNetwork, createRandom, useEngine, type Network } from '@bulwark/core';
import { mlp } from '../architectures/mlp.js';
import { smallCnn } from '../architectures/small-cnn.js';
import { goldenWeights } from '../golden.js';
import { goldenNetwork } from '../golden-networks.js';
import { loadWeights } from '../weights/load.js';
import { readLayersModel, writeLayersModel } from './files.js';
import { toLayersModel } from './to-layers.js';

beforeAll(() => useEngine('wasm'));

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'bulwark-layers-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const random = (seed: number) => createRandom(seed);
const imagesOf = (network: Network) => random(3).uniform<tf.Rank.R4>([3, ...network.inputShape]);
const golden = (name: string) => () => {
  const network = goldenNetwork(name.startsWith('fmnist') ? 'small-cnn' : name);
  loadWeights(network, goldenWeights(name));
  return network;
};
const normalize = { mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616] };
const networks: [string, () => Network][] = [
  ...['wrn-10-1', 'resnet18_w6', 'preactresnet18_w6', 'vgg11_w6', 'fmnist-small-trades'].map(
    (name): [string, () => Network] => [name, golden(name)],
  ),
  [
    'a small CNN with input normalisation',
    () =>
      createNetwork(smallCnn({ inputShape: [9, 8, 3], classes: 4, width: 4, normalize }), {
        name: 'n',
        random: random(1),
      }),
  ],
  [
    'an MLP',
    () =>
      createNetwork(mlp({ inputShape: [4, 5, 2], classes: 3, width: 7, depth: 2 }), { name: 'mlp', random: random(1) }),
  ],
];

describe('the TensorFlow.js form', () => {
  it.each(networks)('of %s opens as a stock layers model with equal logits and bit-equal weights', async (_, make) => {
    const network = make();
    const exported = toLayersModel(network);
    await writeLayersModel(exported, folder, { origin: 'test' });
    const stock = await readLayersModel(join(folder, 'model.json'));
    const images = imagesOf(network);
    const ours = logitsOf(network, images).dataSync();
    const theirs = (stock.predict(images) as tf.Tensor).dataSync();
    const largest = Math.max(...Array.from(ours, Math.abs));
    expect(Math.max(...Array.from(ours, (value, i) => Math.abs(value - theirs[i]!))) / largest).toBeLessThan(1e-5);
    for (const [name, variable] of [...network.parameters, ...network.statistics]) {
      const values = variable.dataSync();
      const found = stock.weights.some((weight) => {
        const [layer] = weight.originalName.split('/');
        return name.startsWith(`${layer}.`) || name.replaceAll('.', '_').startsWith(`${layer}_`)
          ? weight.read().size === values.length &&
              weight
                .read()
                .dataSync()
                .every((value, i) => value === values[i])
          : false;
      });
      expect([name, found]).toEqual([name, true]);
    }
    network.dispose();
  });

  it('can be trained here again: as a classifier it has the network its logits', async () => {
    const network = golden('wrn-10-1')();
    await writeLayersModel(toLayersModel(network), folder);
    const classifier = classifierOfLayers(await readLayersModel(join(folder, 'model.json')));
    const images = imagesOf(network);
    for (const mode of ['eval', 'batch'] as const) {
      const difference = tf.max(tf.abs(tf.sub(logitsOf(network, images, mode), logitsOf(classifier, images, mode))));
      expect(difference.dataSync()[0]).toBeLessThan(1e-4);
    }
    network.dispose();
  });

  it('uses stock layers only, and no padding that TensorFlow would place otherwise', () => {
    const model = toLayersModel(goldenNetwork('resnet18_w6'));
    expect([...new Set(model.layers.map((layer) => layer.getClassName()))].sort()).toEqual([
      'Add',
      'BatchNormalization',
      'Conv2D',
      'Dense',
      'GlobalAveragePooling2D',
      'InputLayer',
      'ReLU',
      'ZeroPadding2D',
    ]);
  });

  it('is refused when it is cut off, incomplete, or points elsewhere', async () => {
    const network = golden('fmnist-small-trades')();
    await writeLayersModel(toLayersModel(network), folder);
    const path = join(folder, 'model.json');
    const json = JSON.parse(readFileSync(path, 'utf8')) as {
      weightsManifest: { paths: string[] }[];
      modelTopology: unknown;
    };
    const attempt = async (change: () => void) => {
      change();
      return readLayersModel(path).then(
        () => 'accepted',
        (error: Error & { code: string }) => `${error.code} ${error.message}`,
      );
    };
    const rewrite = (value: unknown) => writeFileSync(path, JSON.stringify(value));
    const elsewhere = { ...json, weightsManifest: [{ ...json.weightsManifest[0], paths: ['../secret.bin'] }] };
    expect(await attempt(() => rewrite(elsewhere))).toMatch(/WEIGHTS_INVALID .*not the name of a file beside it/);
    const foreign = { ...json, modelTopology: { model_config: { class_name: 'Strange', config: {} } } };
    expect(await attempt(() => rewrite(foreign))).toMatch(/MODEL_INVALID/);
    expect(await attempt(() => rewrite({ format: 'graph-model' }))).toMatch(/is a graph model/);
    expect(await attempt(() => writeFileSync(path, '{'))).toMatch(/is not JSON/);
    const cut = () => {
      rewrite(json);
      writeFileSync(join(folder, json.weightsManifest[0]!.paths[0]!), new Uint8Array(10));
    };
    expect(await attempt(cut)).toMatch(/describes \d+ bytes of weights, its files hold 10/);
  });
});
