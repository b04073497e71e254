import { crossEntropy, inputGradient, logitGradients, logitsOf, type Network } from '@bulwark/core';
import { graphParameterCount, multiplyAccumulates } from '@bulwark/core/network';
import { goldenNetwork, loadWeights, type TinyGolden } from '@bulwark/models';
import * as tf from '@tensorflow/tfjs-core';
import { exact, ofLargest, within, type Comparison } from '../comparison.js';
import type { Golden } from '../golden.js';
import type { CaseContext } from '../types.js';
import { imagesOf, logitValues, refuseUnknown, weightsPath, type WeightNames } from './shared.js';

function compareInputGradient(network: Network, golden: TinyGolden, comparison: Comparison): void {
  const [rows, sums, sizes] = tf.tidy(() => {
    const labels = tf.tensor1d(golden.labels_for_gradient, 'int32');
    const images = imagesOf(golden.images_uint8);
    const { gradient } = inputGradient(network, images, { loss: (logits) => crossEntropy(logits, labels) });
    const perImage = tf.reshape(gradient, [images.shape[0], -1]);
    const [, , width, channels] = images.shape;
    const row = tf.slice(gradient, [0, 0, 0, 0], [1, 1, width, channels]);
    return [row, tf.sum(perImage, 1), tf.sum(tf.abs(perImage), 1)].map((tensor) => Array.from(tensor.dataSync()));
  }) as [number[], number[], number[]];
  const row = golden.input_gradient_eval_first_image_row0.data;
  comparison.compare({ quantity: 'input_gradient_eval_first_image_row0' }, rows, row, ofLargest(1e-3));
  comparison.compare({ quantity: 'input_gradient_eval_l1' }, sizes, golden.input_gradient_eval_l1, ofLargest(1e-3));
  // a sum of numbers of both signs: its error is relative to their size, not to what is left
  const scale = Math.max(...golden.input_gradient_eval_l1);
  comparison.compare(
    { quantity: 'input_gradient_eval_sum' },
    sums,
    golden.input_gradient_eval_sum,
    within(1e-3 * scale),
  );
}

function compareParameterGradients(network: Network, golden: TinyGolden, comparison: Comparison): void {
  const names = [...network.parameters.keys()];
  const ours = tf.tidy(() => {
    const labels = tf.tensor1d(golden.labels_for_gradient, 'int32');
    const images = imagesOf(golden.images_uint8);
    const pass = network.pass([images], { mode: 'batch', wrt: 'parameters' });
    const { value, dLogits } = logitGradients(pass.logits, (logits) => tf.mean(crossEntropy(logits!, labels)));
    const { parameters } = pass.pullback(dLogits);
    pass.dispose();
    comparison.compare({ quantity: 'train_loss_mean_ce' }, value.dataSync(), golden.train_loss_mean_ce, within(1e-4));
    return names.map((name) => tf.norm(parameters.get(name)!).dataSync()[0]!);
  });
  const quantity = 'param_grad_l2_train';
  // null: TRADES' sub_block1, which no forward pass reads
  const expected = Object.entries(golden.param_grad_l2_train).filter(([, norm]) => norm !== null) as [string, number][];
  if (expected.map(([name]) => name).join() !== names.join())
    comparison.fail(quantity, 'the parameters have other names');
  else
    comparison.compare(
      { quantity },
      ours,
      expected.map(([, norm]) => norm),
      // of the largest: an activation within rounding of zero may pass on another engine, which small gradients feel
      ofLargest(1e-3),
    );
}

function compareStatistics(network: Network, golden: TinyGolden, comparison: Comparison): void {
  tf.tidy(() => void logitsOf(network, imagesOf(golden.images_uint8), 'train'));
  for (const [layer, expected] of Object.entries(golden.running_stats_after_one_train_forward))
    for (const [part, values] of [
      ['mean', expected.mean],
      ['var', expected.var],
    ] as const)
      comparison.compare(
        { quantity: 'running_stats_after_one_train_forward', part: `${layer}.running_${part}` },
        network.statistics.get(`${layer}.running_${part}`)?.dataSync(),
        values,
        ofLargest(1e-4),
      );
}

const tinyFields = [
  ...['params', 'macs_32x32', 'logits_eval', 'logits_train', 'train_loss_mean_ce', 'param_grad_l2_train'],
  ...['input_gradient_eval_sum', 'input_gradient_eval_l1', 'input_gradient_eval_first_image_row0'],
  'running_stats_after_one_train_forward',
];

/** The unused copy of stage 1 counts among the parameters that the official class instantiates. */
const subBlock = (golden: TinyGolden, counted: number, expected: number) =>
  Object.values(golden.param_grad_l2_train).includes(null) ? expected : counted;

/** A network with official weights: logits, gradients and running statistics. */
export function runTiny(golden: TinyGolden & Golden, context: CaseContext, comparison: Comparison): void {
  refuseUnknown(golden, tinyFields, comparison);
  const [name] = String(golden['model']).split(' ') as [string];
  const network = goldenNetwork(name, golden.logits_eval[0]!.length);
  try {
    loadWeights(network, weightsPath(golden['weights'] as WeightNames, context));
    const images = imagesOf(golden.images_uint8);
    const [inEval, inBatch] = [logitValues(network, images, 'eval'), logitValues(network, images, 'batch')];
    images.dispose();
    comparison.compare({ quantity: 'logits_eval' }, inEval, golden.logits_eval.flat(), within(1e-4));
    comparison.compare({ quantity: 'logits_train' }, inBatch, golden.logits_train.flat(), within(1e-3));
    const params = golden['params'] as number;
    const counted = subBlock(golden, graphParameterCount(network.graph), params);
    comparison.compare({ quantity: 'params' }, counted, params, exact);
    const macs = multiplyAccumulates(network.graph);
    comparison.compare({ quantity: 'macs_32x32' }, macs, golden['macs_32x32'] as number, exact);
    compareInputGradient(network, golden, comparison);
    compareParameterGradients(network, golden, comparison);
    compareStatistics(network, golden, comparison);
  } finally {
    network.dispose();
  }
}

export interface StudyGolden {
  readonly images_uint8: unknown;
  readonly logits_float64: number[][];
  readonly predictions: number[];
}

/** The trained network of the reference study. */
export function runStudy(golden: StudyGolden & Golden, context: CaseContext, comparison: Comparison): void {
  refuseUnknown(golden, ['logits_float64', 'predictions'], comparison);
  const network = goldenNetwork(String(golden['model']), golden.logits_float64[0]!.length);
  try {
    loadWeights(network, weightsPath(`${context.file.replace(/\.json(\.gz)?$/, '')}.safetensors`, context));
    const images = imagesOf(golden.images_uint8);
    const logits = logitValues(network, images, 'eval');
    const classes = network.classes;
    const predictions = golden.logits_float64.map((_, i) => {
      const row = Array.from(logits.slice(i * classes, (i + 1) * classes));
      return row.indexOf(Math.max(...row));
    });
    images.dispose();
    comparison.compare({ quantity: 'logits_float64' }, logits, golden.logits_float64.flat(), within(1e-4));
    comparison.compare(
      { quantity: 'predictions' },
      predictions,
      golden.predictions.slice(0, predictions.length),
      exact,
    );
  } finally {
    network.dispose();
  }
}
