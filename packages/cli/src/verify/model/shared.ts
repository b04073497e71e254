import { existsSync } from 'node:fs';
import { logitsOf, type Classifier } from '@bulwark/core';
import { goldenWeights } from '@bulwark/models';
import * as tf from '@tensorflow/tfjs-core';
import type { Comparison } from '../comparison.js';
import { isGoldenTensor, malformed, type GoldenTensor } from '../golden.js';
import type { CaseContext } from '../types.js';

/** Fields that say where numbers come from; there is nothing to compare in them. */
const descriptive = [
  ...[
    'model',
    'weights',
    'dtype',
    'note',
    'scale',
    'source',
    'order',
    'method',
    'seed',
    'setting',
    'checkpoint',
    'input',
  ],
  ...['layers', 'layout', 'labels', 'logits_float32', 'results', 'autoattack', 'sha256_of_the_250_raw_images'],
  ...['sum_of_logits_1000', 'sum_of_abs_logits_1000', 'float32_eval_max_abs_dev', 'float32_train_max_abs_dev'],
  ...['images_uint8', 'labels_for_gradient', 'num_classes', 'n_images', 'weight_seed'],
];

/** Every field must be one that is compared or one that describes. */
export function refuseUnknown(json: object, compared: readonly string[], comparison: Comparison): void {
  for (const field of Object.keys(json))
    if (!compared.includes(field) && !descriptive.includes(field))
      comparison.fail(field, 'a field that this version cannot check');
}

export const imagesOf = (value: unknown): tf.Tensor4D => {
  if (!isGoldenTensor(value)) throw malformed('images_uint8 is missing');
  const { shape, data } = value as GoldenTensor;
  return tf.tensor4d(
    Float32Array.from(data, (byte) => byte / 255),
    shape as [number, number, number, number],
  );
};

/** Weights of a case: a file name, or the names of its shards. */
export type WeightNames = string | readonly string[];

/** The weights beside the case, in one file or in shards, else those that come with Bulwark. */
export function weightsPath(names: WeightNames, context: CaseContext): string {
  const name = typeof names === 'string' ? names : (names[0] ?? '').replace(/-\d+-of-\d+/, '');
  const beside = [name, `${name}.index.json`].map((file) => context.pathOf(file)).find((path) => existsSync(path));
  if (beside) return beside;
  const bundled = goldenWeights(name.replace(/\.safetensors$/, ''));
  if (existsSync(bundled)) return bundled;
  throw malformed(`the weights ${name} are not beside the case`);
}

export const logitValues = (network: Classifier, images: tf.Tensor4D, mode: 'eval' | 'batch') =>
  tf.tidy(() => logitsOf(network, images, mode).dataSync());
