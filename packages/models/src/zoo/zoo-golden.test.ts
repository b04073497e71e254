import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  blankRandom,
  createNetwork,
  crossEntropy,
  inputGradient,
  logitGradients,
  logitsOf,
  useEngine,
  type Network,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { expectInDocs, formsTable } from '../../../core/test/docs-table.js';
import { loadWeights } from '../weights/load.js';
import { zooGoldenGraph, type ZooArchitecture } from './golden-graph.js';

interface Golden {
  readonly id: string;
  readonly architecture: ZooArchitecture;
  readonly num_classes: number;
  readonly images_uint8: { shape: [number, number, number, number]; data: number[] };
  readonly labels: number[];
  readonly logits_eval: number[][];
  readonly logits_train: number[][];
  readonly train_loss_mean_ce: number;
  readonly param_grad_l2_train: Record<string, number | null>;
  readonly input_gradient_eval: { readonly digest: { readonly l1: number[] } };
}

const folder = fileURLToPath(new URL('../../fixtures/zoo/', import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.startsWith('zoo-') && name.endsWith('.json.gz'))
  .map((name) => name.replace('.json.gz', ''));
const read = (name: string) => JSON.parse(gunzipSync(readFileSync(`${folder}${name}.json.gz`)).toString()) as Golden;

beforeAll(() => useEngine('wasm'));

const largest = (ours: ArrayLike<number>, theirs: readonly number[]) =>
  theirs.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - ours[i]!)),
    ours.length === theirs.length ? 0 : Infinity,
  );

describe.each(names)('%s', (name) => {
  const golden = read(name);
  const loose = name.includes('resnet50') ? 10 : 1;
  let network: Network;
  beforeAll(() => {
    network = createNetwork(zooGoldenGraph(golden.architecture, golden.num_classes), { name, random: blankRandom });
    loadWeights(network, `${folder}${name}.safetensors`);
  });
  const images = () =>
    tf.tensor4d(
      Float32Array.from(golden.images_uint8.data, (byte) => byte / 255),
      golden.images_uint8.shape,
    );

  it('has the logits of the official network, with running statistics and with those of the batch', () => {
    const logits = (mode: 'eval' | 'batch') => tf.tidy(() => logitsOf(network, images(), mode).dataSync());
    expect(largest(logits('eval'), golden.logits_eval.flat())).toBeLessThan(1e-4 * loose);
    expect(largest(logits('batch'), golden.logits_train.flat())).toBeLessThan(1e-3 * loose);
  });

  it('has its gradients', () => {
    const labels = tf.tensor1d(golden.labels, 'int32');
    const measured: { digests: number[]; norms: Map<string, number>; loss: number }[] = [];
    tf.tidy(() => {
      const x = images();
      const { gradient } = inputGradient(network, x, { loss: (logits) => crossEntropy(logits, labels) });
      const rows = tf.reshape(gradient, [x.shape[0], -1]);
      const pass = network.pass([x], { mode: 'batch', wrt: 'parameters' });
      const { value, dLogits } = logitGradients(pass.logits, (logits) => tf.mean(crossEntropy(logits!, labels)));
      const { parameters } = pass.pullback(dLogits);
      pass.dispose();
      const norm = new Map([...parameters].map(([key, of]) => [key, tf.norm(of).dataSync()[0]!]));
      const digests = Array.from(tf.sum(tf.abs(rows), 1).dataSync());
      measured.push({ digests, norms: norm, loss: value.dataSync()[0]! });
    });
    const [{ digests, norms, loss }] = measured as [(typeof measured)[number]];
    const { l1 } = golden.input_gradient_eval.digest;
    expect(largest(digests, l1) / Math.max(...l1)).toBeLessThan(1e-3 * loose);
    expect(Math.abs(loss - golden.train_loss_mean_ce)).toBeLessThan(1e-4 * loose);
    // PyTorch lists parameters that blocks share under the first block
    const known = [...network.parameters.keys()].map((key): [string, number] => {
      const norm = golden.param_grad_l2_train[key] ?? golden.param_grad_l2_train[`block1.layer.0.${key}`];
      return [key, norm ?? NaN];
    });
    const top = Math.max(...known.map(([, n]) => n));
    for (const [key, n] of known)
      expect([key, Math.abs(norms.get(key)! - n) / top < 1e-3 * loose]).toEqual([key, true]);
  });
});

it('docs/weights.md lists the architectures of the zoo (UPDATE_DOCS=1 writes it)', () =>
  expectInDocs(
    'weights.md',
    'zoo-golden.test.ts',
    formsTable(
      names.map((name) => [
        `${read(name).architecture.family}, as \`${name.replace('zoo-', '')}\``,
        'loads, computes the same',
      ]),
    ),
  ));
