import {
  blankRandom,
  createNetwork,
  crossEntropy,
  inputGradient,
  logitGradients,
  logitsOf,
  type Network,
} from '@bulwark/core';
import { graphParameterCount } from '@bulwark/core/network';
import {
  loadWeights,
  modelPlugins,
  stateDictEntries,
  whyNotInZoo,
  zooArchitecture,
  zooEntries,
  zooGoldenGraph,
  zooPath,
  type ZooArchitecture,
} from '@bulwark/models';
import * as tf from '@tensorflow/tfjs-core';
import { exact, ofLargest, within, type Comparison } from '../comparison.js';
import type { Golden } from '../golden.js';
import type { CaseContext } from '../types.js';
import { imagesOf, logitValues, weightsPath } from './shared.js';

interface Digest {
  readonly sum: readonly number[];
  readonly l1: readonly number[];
  readonly dot_sin: readonly number[];
}

interface ZooGolden {
  readonly architecture: ZooArchitecture;
  readonly num_classes: number;
  readonly weights: string;
  readonly images_uint8: unknown;
  readonly labels: readonly number[];
  readonly params: number;
  readonly logits_eval: number[][];
  readonly logits_train: number[][];
  readonly train_loss_mean_ce: number;
  readonly input_gradient_eval: {
    readonly digest: Digest;
    readonly first_image_rows: { readonly rows: readonly number[]; readonly data: readonly number[] };
  };
  readonly input_gradient_train: { readonly digest: Digest };
  readonly param_grad_l2_train: Readonly<Record<string, number | null>>;
  readonly running_stats_after_one_train_forward: Readonly<
    Record<string, { readonly mean: readonly number[]; readonly var: readonly number[] }>
  >;
  readonly state_dict: readonly (readonly [string, readonly number[]])[];
}

/** Sum, sum of sizes, and a product with a fixed vector, of each image's gradient. */
function digestOf(gradient: tf.Tensor4D): Digest {
  const [batch] = gradient.shape;
  const values = gradient.dataSync();
  const size = values.length / batch;
  const each = (of: (value: number, k: number) => number) =>
    Array.from({ length: batch }, (_, i) => {
      let total = 0;
      for (let k = 0; k < size; k++) total += of(values[i * size + k]!, k);
      return total;
    });
  return {
    sum: each((value) => value),
    l1: each(Math.abs),
    dot_sin: each((value, k) => value * Math.sin(1 + 0.7 * k)),
  };
}

function compareDigest(quantity: string, at: { ours: Digest; expected: Digest; factor: number }, to: Comparison): void {
  const { ours, expected, factor } = at;
  // sums of numbers of both signs: their error is relative to the numbers' size
  const scale = Math.max(...expected.l1);
  for (const part of ['sum', 'l1', 'dot_sin'] as const)
    to.compare({ quantity, part: `${quantity}.${part}` }, ours[part], expected[part], within(1e-3 * factor * scale));
}

function compareTraining(network: Network, golden: ZooGolden, at: { factor: number; comparison: Comparison }): void {
  const { factor, comparison } = at;
  tf.tidy(() => {
    const labels = tf.tensor1d([...golden.labels], 'int32');
    const images = imagesOf(golden.images_uint8);
    const pass = network.pass([images], { mode: 'batch', wrt: 'all' });
    const { value, dLogits } = logitGradients(pass.logits, (logits) => tf.mean(crossEntropy(logits!, labels)));
    const { images: dImages, parameters } = pass.pullback(dLogits);
    pass.dispose();
    const close = within(1e-4 * factor);
    comparison.compare({ quantity: 'train_loss_mean_ce' }, value.dataSync(), golden.train_loss_mean_ce, close);
    const ours = digestOf(dImages[0]!);
    const expected = golden.input_gradient_train.digest;
    compareDigest('input_gradient_train', { ours, expected, factor }, comparison);
    // parameters that blocks share stand under the first block there; null: never read
    const known = [...network.parameters.keys()].map(
      (name) => golden.param_grad_l2_train[name] ?? golden.param_grad_l2_train[`block1.layer.0.${name}`] ?? NaN,
    );
    const norms = [...network.parameters.keys()].map((name) => tf.norm(parameters.get(name)!).dataSync()[0]!);
    comparison.compare({ quantity: 'param_grad_l2_train' }, norms, known, ofLargest(1e-3 * factor));
  });
}

function compareStatistics(network: Network, golden: ZooGolden, comparison: Comparison): void {
  tf.tidy(() => void logitsOf(network, imagesOf(golden.images_uint8), 'train'));
  for (const [layer, expected] of Object.entries(golden.running_stats_after_one_train_forward))
    for (const part of ['mean', 'var'] as const)
      comparison.compare(
        { quantity: 'running_stats_after_one_train_forward', part: `${layer}.running_${part}` },
        network.statistics.get(`${layer}.running_${part}`)?.dataSync(),
        expected[part],
        ofLargest(1e-4),
      );
}

/** A narrow instance of a published network: logits, gradients, running statistics, parameters. */
export function runZoo(json: Golden, context: CaseContext, comparison: Comparison): void {
  const golden = json as unknown as ZooGolden;
  // 53 layers with two base channels: rounding is ten times as large
  const factor = golden.architecture.family === 'ResNet-Bottleneck' ? 10 : 1;
  const graph = zooGoldenGraph(golden.architecture, golden.num_classes);
  const network = createNetwork(graph, { name: golden.architecture.family, random: blankRandom });
  try {
    loadWeights(network, weightsPath(golden.weights, context));
    const images = imagesOf(golden.images_uint8);
    const [inEval, inBatch] = [logitValues(network, images, 'eval'), logitValues(network, images, 'batch')];
    comparison.compare({ quantity: 'logits_eval' }, inEval, golden.logits_eval.flat(), within(1e-4 * factor));
    comparison.compare({ quantity: 'logits_train' }, inBatch, golden.logits_train.flat(), within(1e-3 * factor));
    tf.tidy(() => {
      const labels = tf.tensor1d([...golden.labels], 'int32');
      const { gradient } = inputGradient(network, images, { loss: (logits) => crossEntropy(logits, labels) });
      const { digest, first_image_rows: first } = golden.input_gradient_eval;
      compareDigest('input_gradient_eval', { ours: digestOf(gradient), expected: digest, factor }, comparison);
      const [, , width, channels] = gradient.shape;
      const rows = first.rows.flatMap((row) => [
        ...tf.slice(gradient, [0, row, 0, 0], [1, 1, width, channels]).dataSync(),
      ]);
      comparison.compare({ quantity: 'input_gradient_eval' }, rows, first.data, ofLargest(1e-3 * factor));
    });
    images.dispose();
    compareTraining(network, golden, { factor, comparison });
    compareStatistics(network, golden, comparison);
    // the official class also counts sub_block1, which nothing reads and we do not allocate
    const unused = golden.state_dict.filter(([name]) => /^sub_block1\..*(?:weight|bias)$/.test(name));
    const extra = unused.reduce((sum, [, shape]) => sum + shape.reduce((size, n) => size * n, 1), 0);
    comparison.compare({ quantity: 'params' }, graphParameterCount(graph) + extra, golden.params, exact);
  } finally {
    network.dispose();
  }
}

/** The table of published models: every entry is in ours, with the same figures. */
export function runZooTable(json: Golden, comparison: Comparison): void {
  const { models } = json as unknown as {
    models: readonly {
      id: string;
      dataset: string;
      threat: string;
      robust: number;
      rankInZoo: number;
      published: { clean: number };
    }[];
  };
  const ours = new Map(zooEntries().map((entry) => [zooPath(entry), entry]));
  comparison.compare({ quantity: 'models' }, ours.size, models.length, exact);
  for (const { id, dataset, threat, robust, rankInZoo, published } of models) {
    const entry = ours.get(`${dataset}/${threat}/${id}`);
    const found = entry && [entry.clean, entry.robust, entry.rank];
    comparison.compare({ quantity: 'figures', part: id }, found, [published.clean, robust, rankInZoo], exact);
    if (entry && whyNotInZoo(entry) === undefined) {
      const { use, ...options } = zooArchitecture(entry);
      const plugin = modelPlugins.find(({ name }) => name === use);
      if (!plugin?.options.safeParse(options).success) comparison.fail('config', `${id}: its section is not valid`);
    }
  }
}

/** Ids of the table whose full-size state dicts are listed. */
const fullSize: Readonly<Record<string, ZooArchitecture>> = {
  'dmwrn-28-10': { family: 'DMWideResNet', depth: 28, channels: [16, 160, 320, 640], activation: 'silu' },
  'dmwrn-70-16': { family: 'DMWideResNet', depth: 70, channels: [16, 256, 512, 1024], activation: 'silu' },
  'rawrn-70-16': {
    ...{ family: 'RaWideResNet', depth: [30, 31, 10], stemWidth: 96, stageWidth: [216, 432, 864] },
    ...{ seRatio: 0.25, activation: 'silu' },
  },
  'dmpreactresnet-18': { family: 'DMPreActResNet', baseWidth: 64, activation: 'silu' },
  'meansparse-dmwrn-94-16': {
    ...{ family: 'MeanSparse-DMWideResNet', depth: 94, channels: [16, 256, 512, 1024], activation: 'silu' },
  },
  'robustwrn-34-huang': {
    family: 'RobustWideResNet',
    depth: [5, 5, 5],
    channels: [16, 320, 640, 512],
    activation: 'relu',
  },
  'wrn-a4': { family: 'WRN-A4', depth: [27, 28, 13], channels: [16, 160, 448, 384], activation: 'silu' },
  'pssilu-wrn-28-10': { family: 'PSSiLU-WideResNet', depth: 28, channels: [16, 160, 320, 640] },
};

/** Names, shapes and parameter counts of full-size state dicts. */
export function runZooStates(json: Golden, comparison: Comparison): void {
  const { models } = json as unknown as {
    models: Readonly<
      Record<string, { parameters: number; entries: readonly (readonly [string, readonly number[]])[] }>
    >;
  };
  const unused = /(?:num_batches_tracked|batch_num|flag_update_statistics)$|^(?:mu|sigma)$|.\.activation\./;
  for (const [name, { parameters, entries }] of Object.entries(models)) {
    const architecture = fullSize[name];
    if (!architecture) {
      comparison.fail('state dicts', `${name} is not known`);
      continue;
    }
    const graph = zooGoldenGraph(architecture, 10);
    comparison.compare({ quantity: 'parameters', part: name }, graphParameterCount(graph), parameters, exact);
    const ours = stateDictEntries(graph)
      .filter(({ kind }) => kind === 'variable')
      .map(({ name: own, layout }) => `${own} [${layout.shape.join()}]`);
    const theirs = new Set(
      entries.filter(([own]) => !unused.test(own)).map(([own, shape]) => `${own} [${shape.join()}]`),
    );
    const odd = ours.find((line) => !theirs.has(line));
    if (odd !== undefined) comparison.fail('state dicts', `${name}: ${odd} is not in it`);
    comparison.compare({ quantity: 'state dicts', part: name }, ours.length, theirs.size, exact);
  }
}
