import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { norms as threatNorms, useEngine, type Plugin, type PluginKind } from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import { contractOf, definitionContract, fixtureNetwork, type ContractOptionsOf } from '@bulwark/core/testing';
import { encodePng, writeIdx, writeNpz } from '@bulwark/datasets';
import { toLayersModel, writeLayersModel } from '@bulwark/models';
import { builtinRegistry } from './registry.js';

const plugins = builtinRegistry().list();
const inner = { steps: 2 };
const norms = [
  { norm: 'linf', epsilon: 0.03 },
  { norm: 'l1', epsilon: 1 },
];
const helper = { use: 'small-cnn', width: 2 };
const noSteps = { inner: { steps: -1 } };
const folder = mkdtempSync(join(tmpdir(), 'bulwark-contracts-'));

/**
 * Every built-in plugin, with options that keep it quick. `definition` stands for plugins that are another one with fixed sizes, too
 * large for a test: only their definition is checked here.
 */
const table: { readonly [K in PluginKind]: Readonly<Record<string, ContractOptionsOf<K> | 'definition'>> } = {
  objective: {
    natural: {},
    at: { options: { inner }, refused: [noSteps, { riceBookkeeping: 'yes' }] },
    trades: { options: { inner }, refused: [{ beta: -1 }, { discrepancy: 'kll' }, noSteps] },
    mart: { options: { inner }, refused: [{ beta: '1/2/3' }] },
    st: { options: { inner }, detached: ['regularizer'], refused: [{ inner: { mode: 'training' } }] },
    collaborative: { options: { inner }, refused: [{ passes: 'natural' }] },
    'two-neighbours': {
      options: { of: { use: 'mart', inner } },
      refused: [{ of: 'matr' }, { of: { use: 'mart', betta: 1 } }, { combine: 'min' }],
    },
    rst: { options: { inner } },
    'st-rst': { options: { inner }, detached: ['regularizer'] },
    gairat: { options: { inner, burnIn: 0 }, refused: [{ burnIn: 2 }] },
    'gair-rst': { options: { inner, burnIn: 0 } },
    bat: { options: { inner, bridges: 2 }, refused: [{ bridges: 0 }] },
    'fast-at': { updatesStatistics: true, refused: [{ init: 'last' }, { stepLength: -1 }] },
    'n-fgsm': { updatesStatistics: true, refused: [{ clip: 0 }] },
    'free-at': { options: { replays: 2 }, refused: [{ replays: 0 }] },
    elle: { updatesStatistics: true, refused: [{ lambda: -1 }] },
    'elle-a': { updatesStatistics: true, refused: [{ decayRate: 2 }] },
    'grad-align': { updatesStatistics: true, options: { init: 'random' }, refused: [{ init: 'previous' }] },
    score: { options: { inner, smoothing: 0.1 }, refused: [{ smoothing: 2 }] },
    hat: { options: { helper, inner }, refused: [{ helper: 'no-such-model' }, { stretch: 0.5 }] },
    mail: { options: { inner, burnIn: 0 }, detached: ['classification'], refused: [{ burnIn: 2 }, { base: 'st' }] },
    arow: { options: { inner }, refused: [{ smoothing: 1.5 }, { beta: -1 }] },
    ikl: { detached: ['soft-cross-entropy'], refused: [{ temperature: 0 }] },
    ard: {
      options: { teacher: helper, inner, distillWeight: 0.5 },
      updatesStatistics: true,
      refused: [{ temperature: 0 }],
    },
    rslad: { options: { teacher: helper, inner }, refused: [{ scale: 0 }] },
    max: { options: { norms, steps: 2 }, refused: [{ norms: [norms[0]] }, { steps: 0 }] },
    avg: { options: { norms, steps: 2 }, refused: [{ norms: [{ norm: 'l3', epsilon: 1 }, norms[0]] }] },
    'e-at': { options: { norms, steps: 2 }, refused: [{ norms: 'linf' }] },
    cfa: { options: { inner, warmup: 1 }, updatesStatistics: true, refused: [{ warmup: 0 }, { radiusBase: -1 }] },
    'cfa-trades': { options: { inner, warmup: 1 }, refused: [{ weightBase: -1 }] },
    ramp: { options: { norms, steps: 2 }, refused: [{ target: 'l2' }, { lambda: -1 }] },
    msd: { options: { steps: 2 }, updatesStatistics: true, refused: [{ linf: { radius: 1 } }] },
    lbgat: { options: { companion: helper, inner, beta: 6 }, refused: [{ companion: 3 }] },
    compose: {
      options: { inner: { use: 'pgd', ...inner }, regularizer: 'js', classification: { use: 'boosted-cross-entropy' } },
      refused: [
        { inner: 'pdg' },
        { inner: 'none' },
        { regularizer: { use: 'kl', between: ['natural', 'collaborative'] } },
      ],
    },
  },
  'inner-optimizer': {
    pgd: { options: { ...inner, goal: 'js' }, refused: [{ steps: 1.5 }, { goal: 'accuracy' }, { start: 'random' }] },
    squeeze: { options: inner, refused: [{ stepSize: -1 }] },
    none: {},
  },
  regularizer: {
    kl: { refused: [{ between: ['natural'] }] },
    'symmetric-kl': {},
    js: {},
    'js-reversed': {},
    'squared-l2': {},
    'weighted-kl': {},
    squeeze: { options: { detachTarget: false } },
  },
  classification: { 'cross-entropy': { refused: [{ at: 3 }] }, 'boosted-cross-entropy': {} },
  'weight-perturber': { awp: { refused: [{ gamma: -0.1 }] }, rwp: { options: { steps: 2 }, refused: [{ steps: 0 }] } },
  data: {
    'fashion-mnist-mini': {},
    'fashion-mnist': { options: { folder: 'mnist', validation: 2 } },
    mnist: { options: { folder: 'mnist', validation: 2 }, refused: [{ validation: -1 }] },
    cifar10: { options: { folder: 'cifar10' } },
    cifar100: { options: { folder: 'cifar100' } },
    svhn: 'definition', // MATLAB files: read in packages/datasets, where there is one
    'image-folder': { options: { folder: 'images', channels: 1 }, refused: [{ channels: 2 }] },
    npz: { options: { train: 'train.npz', test: 'test.npz', classes: 3 }, refused: [{ classes: 1 }] },
    pickle: 'definition', // the same source as npz over another reader
    csv: { options: { train: 'train.csv', test: 'train.csv', classes: 3 }, refused: [{ shape: [0, 1, 1] }] },
    'cifar10-c': 'definition', // test sets only, which the kit does not take: read in packages/datasets
    'cifar100-c': 'definition',
    'cifar10-1': 'definition',
    rst: {
      options: {
        labelled: { use: 'npz', train: 'train.npz', test: 'test.npz' },
        unlabelled: { use: 'npz', train: 'test.npz' },
        epochSize: 32,
        // one common pool: works for batches of one, too
        unlabelledFraction: -1,
      },
      refused: [{ unlabelledFraction: 1 }, { unlabelled: { use: 'nzp', train: 'x' } }],
    },
  },
  augmentation: {
    'random-crop': { refused: [{ padding: -1 }] },
    'horizontal-flip': { refused: [{ probability: 2 }] },
    cutout: { options: { size: 3 } },
    mixup: { refused: [{ alpha: 0 }] },
    cutmix: {},
    'crop-shift': { options: { most: 3 }, refused: [{ most: -1 }] },
    'color-shape': { options: { bias: 'shape' }, refused: [{ bias: 'size' }] },
    'random-erasing': { options: { probability: 1 }, refused: [{ ratio: 0.5 }] },
  },
  model: {
    'small-cnn': { options: { width: 4 }, refused: [{ width: 0 }] },
    mlp: { options: { width: 8 } },
    resnet18: { options: { width: 4, blocks: [1, 1] }, refused: [{ blocks: [] }] },
    'preact-resnet18': { options: { width: 4, blocks: [1, 1] } },
    'wide-resnet': { options: { depth: 10, width: 1 } },
    'dm-wide-resnet': { options: { channels: [4, 4, 6, 8], blocks: [1, 1, 1], squeeze: 0.5 } },
    'dm-preact-resnet18': { options: { width: 2 } },
    'robust-wide-resnet': { options: { channels: [4, 4, 6, 8], blocks: [1, 1, 1], activation: 'silu' } },
    resnet50: { options: { width: 2, blocks: [1, 1] } },
    vgg: { options: { depth: 11, width: 4 }, imageShape: [32, 32, 1], refused: [{ depth: 12 }] },
    'layers-model': { options: { path: 'layers/model.json' } },
    'wrn-34-5': 'definition',
    'wrn-34-10': 'definition',
    'wrn-28-10': 'definition',
  },
  attack: {
    fgsm: {},
    'i-fgsm': { options: { steps: 5 } },
    'mi-fgsm': { options: { steps: 5 } },
    pgd: { options: { steps: 8 }, refused: [{ steps: 0 }, { loss: 'cross' }] },
    'cw-linf': { options: { steps: 8 } },
    apgd: { options: { iterations: 8 } },
    fab: { options: { iterations: 8 } },
    'fab-t': { options: { iterations: 8 } },
    deepfool: { options: { iterations: 10 } },
    fmn: { options: { steps: 40 }, refused: [{ steps: 0 }, { gamma: 2 }] },
    ddn: {
      options: { steps: 60, levels: 0 },
      threat: { norm: threatNorms.l2, epsilon: 0.5 },
      refused: [{ norm: 'linf' }],
    },
    square: { options: { queries: 60 }, weak: true },
    autoattack: { options: { version: 'custom', attacks: ['apgd-ce', 'square'], queries: 30 } },
  },
  optimizer: {
    sgd: { options: { decay: 'no-batch-norm' }, refused: [{ learningRate: 0 }, { momentum: 2 }, { decay: 'none' }] },
    adamw: { refused: [{ beta1: 2 }, { epsilon: 0 }] },
  },
  schedule: {
    constant: {},
    step: { options: { milestones: [3, 6] }, refused: [{ milestones: [0] }] },
    cosine: { options: { per: 'step' } },
    piecewise: { options: { points: [{ from: 4, factor: 0.5 }] } },
    cyclic: { options: { momentum: [0.8, 0.9] }, refused: [{ peak: 1 }, { momentum: 0.9 }] },
    'one-cycle': { refused: [{ startDivisor: 0 }] },
    'warm-cosine': { options: { warmup: 3 }, refused: [{ warmup: -1 }] },
  },
  average: {
    ema: { options: { start: 0.2, statistics: 'copied' }, refused: [{ decay: 2 }, { statistics: 'none' }] },
    swa: { options: { from: 2 }, refused: [{ from: 0 }, { every: 0 }] },
    fawa: { refused: [{ threshold: 1.5 }] },
  },
  engine: {
    wasm: { options: { threads: 2 }, refused: [{ threads: 0 }, { threads: 'many' }] },
    cpu: { refused: [{ threads: 2 }] },
    torch: { options: { threads: 2 }, refused: [{ device: 'tpu' }, { threads: 0 }, { tf32: 'maybe' }] },
    tensorflow: { refused: [{ device: 'tpu' }] },
    webgpu: { refused: [{ power: 'much' }] },
  },
  callback: {
    tensorboard: {},
    csv: {},
    jsonl: {},
    mlflow: 'definition', // asks a server: logs/mlflow.test.ts starts one
    wandb: 'definition', // asks Python: logs/wandb.test.ts has a client
  },
  launcher: {
    local: { options: { jobs: 2 }, refused: [{ jobs: 0 }, { gpus: [-1] }] },
    slurm: 'definition', // .ci/slurm starts one, and runs jobs in it
  },
};

const put = (name: string, bytes: Uint8Array) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), bytes);
};

/** Files of the size that a reader insists on, without their content: zeros. */
const putZeros = (name: string, size: number) => {
  put(name, new Uint8Array());
  truncateSync(join(folder, name), size);
};

beforeAll(async () => {
  // BULWARK_ENGINE chooses: all contracts hold on all engines
  await useEngine('auto', { engines: enginesOf(builtinRegistry()) });
  await writeLayersModel(toLayersModel(fixtureNetwork()), join(folder, 'layers'));
  const pixels = (count: number, size: number) => Uint8Array.from({ length: count * size }, (_, i) => (7 * i) % 256);
  for (const split of ['train', 't10k']) {
    const labels = Uint8Array.from({ length: 12 }, (_, i) => i % 10);
    put(`mnist/${split}-images-idx3-ubyte.gz`, gzipSync(writeIdx({ shape: [12, 28, 28], data: pixels(12, 784) })));
    put(`mnist/${split}-labels-idx1-ubyte`, writeIdx({ shape: [12], data: labels }));
  }
  for (const name of [...Array.from({ length: 5 }, (_, i) => `data_batch_${i + 1}`), 'test_batch'])
    putZeros(`cifar10/${name}.bin`, 10000 * 3073);
  putZeros('cifar100/train.bin', 50000 * 3074);
  putZeros('cifar100/test.bin', 10000 * 3074);
  for (const [name, count] of [['train', 20] as const, ['test', 10] as const]) {
    const label = { shape: [count], data: Uint8Array.from({ length: count }, (_, i) => i % 3) };
    put(`${name}.npz`, writeNpz({ image: { shape: [count, 4, 4, 1], data: pixels(count, 16) }, label }));
    const rows = Array.from({ length: count }, (_, i) => [i % 3, ...pixels(count, 16).subarray(16 * i, 16 * i + 16)]);
    put(`${name}.csv`, new Uint8Array(Buffer.from(rows.map((row) => row.join(',')).join('\n'))));
    for (const label of ['cat', 'dog'])
      for (let i = 0; i < 6; i++) put(`images/${name}/${label}/${i}.png`, encodePng(pixels(1, 16), [4, 4, 1]));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('the table has every built-in plugin, and no other', () => {
  const known = plugins.map(({ kind, name }) => `${kind} ${name}`);
  const listed = Object.entries(table).flatMap(([kind, row]) => Object.keys(row).map((name) => `${kind} ${name}`));
  expect(listed.sort()).toEqual(known.sort());
});

describe.each(plugins.map((plugin) => [`${plugin.kind} ${plugin.name}`, plugin] as const))('%s', (_name, plugin) => {
  const row = (table[plugin.kind] as Readonly<Record<string, object | 'definition'>>)[plugin.name]!;
  const contract =
    row === 'definition'
      ? definitionContract(plugin).filter(({ name }) => name !== 'writes nothing into its options')
      : contractOf(plugin as Plugin<'objective'>, { baseFolder: folder, plugins: plugins as Plugin[], ...row });
  for (const { name, run } of contract) it(name, () => run());
});
