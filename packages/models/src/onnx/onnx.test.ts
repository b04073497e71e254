import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  blankRandom,
  BulwarkError,
  classifierOfLayers,
  createNetwork,
  createRandom,
  logitsOf,
  parameterCount,
  useEngine,
  type Classifier,
  type Plugin,
  type PluginServices,
} from '@bulwark/core';
import { factsFromMetadata } from '@bulwark/core/formats';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { modelPlugins } from '../plugins.js';
import { loadWeights } from '../weights/load.js';
import { zooGoldenGraph, type ZooArchitecture } from '../zoo/golden-graph.js';
import { openSession, metadataOf } from '../testing/onnx-runtime.js';
import { encodeOnnxModel, type ImageLayout } from './to-onnx.js';

beforeAll(() => useEngine('wasm'));

const folder = fileURLToPath(new URL('../../fixtures/zoo/', import.meta.url));
const zoo = readdirSync(folder)
  .filter((name) => name.startsWith('zoo-') && name.endsWith('.json.gz'))
  .map((name) => name.replace('.json.gz', ''));

/** Every file that is written here, for the checker. */
const written = mkdtempSync(join(tmpdir(), 'bulwark-onnx-'));
let files = 0;
afterAll(() => rmSync(written, { recursive: true }));

/** Values between 0 and 1. */
const noise = (shape: readonly number[], seed = 1) =>
  tf.tidy(() => createRandom(seed, 'images').uniform([...shape], 0, 1));

/** Largest difference between ours and ONNX Runtime's logits, in units of the largest logit where that is above 1. */
async function difference(classifier: Classifier, layout: ImageLayout, batch: number): Promise<number> {
  const images = noise([batch, ...classifier.inputShape]) as tf.Tensor4D;
  const given = layout === 'nchw' ? tf.transpose(images, [0, 3, 1, 2]) : images;
  const bytes = encodeOnnxModel(classifier, { layout });
  writeFileSync(join(written, `${files++}.onnx`), bytes);
  const session = await openSession(bytes);
  const found = await session.run(given.dataSync() as Float32Array, given.shape);
  await session.close();
  const ours = logitsOf(classifier, images).dataSync();
  expect(found).toHaveLength(batch * classifier.classes);
  const scale = Math.max(1, ...ours.map(Math.abs));
  return Math.max(...ours.map((value, i) => Math.abs(value - found[i]!))) / scale;
}

describe('ONNX Runtime computes our logits', () => {
  it.each(zoo)('of the zoo: %s', async (name) => {
    const { architecture, num_classes: classes } = JSON.parse(
      gunzipSync(readFileSync(`${folder}${name}.json.gz`)).toString(),
    ) as {
      architecture: ZooArchitecture;
      num_classes: number;
    };
    const network = createNetwork(zooGoldenGraph(architecture, classes), { name, random: blankRandom });
    loadWeights(network, `${folder}${name}.safetensors`);
    expect(await difference(network, 'nchw', 2)).toBeLessThan(1e-5);
    network.dispose();
  });

  const services = {
    inputShape: [32, 32, 3],
    classNames: ['a', 'b', 'c'],
    random: () => createRandom(3, 'weights'),
    warn: () => {},
  };
  /** Options of other sizes than these are checked against in the network's own test: what is tested here is each op and its place. */
  const sizes = { width: 2, blocks: [1, 2, 1], channels: [2, 3, 4, 6], depth: 10 };
  const narrow = ({ options }: Plugin) => {
    const normalize = { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };
    const own = Object.fromEntries(
      Object.entries(sizes).filter(
        ([name, value]) => name in options.shape && options.safeParse({ [name]: value }).success,
      ),
    );
    return options.parse({ normalize, ...own });
  };
  // presets of one size are instances of wide-resnet
  const presets = ['wrn-34-5', 'wrn-34-10', 'wrn-28-10'];
  const families = modelPlugins.filter(({ name }) => ![...presets, 'layers-model'].includes(name));
  it.each(families.map((plugin) => [plugin.name, plugin] as const))('of the plugin %s', async (_name, plugin) => {
    const network = (await plugin.create(narrow(plugin), services as unknown as PluginServices)) as Classifier;
    expect(parameterCount(network)).toBeLessThan(1e6);
    expect(await difference(network, 'nhwc', 3)).toBeLessThan(1e-5);
    network.dispose();
  });
});

const kernelInitializer = () => tfl.initializers.heNormal({ seed: 5 });

describe('a layers model as ONNX', () => {
  const image = () => tfl.input({ shape: [9, 8, 3] });
  const ended = (input: tfl.SymbolicTensor, x: tfl.SymbolicTensor) => {
    const logits = tfl.layers
      .dense({ units: 4, activation: 'softmax', kernelInitializer: kernelInitializer() })
      .apply(x);
    return tfl.model({ inputs: input, outputs: logits as tfl.SymbolicTensor });
  };
  const conv = (options: object = {}) =>
    tfl.layers.conv2d({ filters: 4, kernelSize: [3, 2], kernelInitializer: kernelInitializer(), ...options });
  const flat = () => tfl.layers.flatten();
  type Layer = { apply(x: tfl.SymbolicTensor | tfl.SymbolicTensor[]): unknown };
  const through = (...layers: readonly Layer[]) => {
    const input = image();
    return ended(
      input,
      layers.reduce((x, layer) => layer.apply(x) as tfl.SymbolicTensor, input),
    );
  };
  const kinds: readonly [string, () => tfl.LayersModel][] = [
    [
      'convolutions with padding, stride and dilation',
      () =>
        through(
          conv({ padding: 'same', strides: 2, activation: 'relu' }),
          conv({ padding: 'same', dilationRate: 2 }),
          flat(),
        ),
    ],
    [
      'depthwise and separable convolutions',
      () =>
        through(
          tfl.layers.depthwiseConv2d({
            kernelSize: 3,
            depthMultiplier: 2,
            padding: 'same',
            depthwiseInitializer: kernelInitializer(),
          }),
          tfl.layers.separableConv2d({
            kernelSize: 3,
            filters: 5,
            depthwiseInitializer: kernelInitializer(),
            pointwiseInitializer: kernelInitializer(),
          }),
          flat(),
        ),
    ],
    [
      'normalisation, pooling and padding',
      () =>
        through(
          tfl.layers.zeroPadding2d({
            padding: [
              [1, 2],
              [0, 3],
            ],
          }),
          conv(),
          tfl.layers.batchNormalization({ scale: false, epsilon: 0.01 }),
          tfl.layers.averagePooling2d({ poolSize: 2, padding: 'same' }),
          tfl.layers.maxPooling2d({ poolSize: 2, strides: 1 }),
          tfl.layers.dropout({ rate: 0.5 }),
          tfl.layers.globalAveragePooling2d({}),
        ),
    ],
    ...(
      [
        'relu',
        'relu6',
        'elu',
        'selu',
        'sigmoid',
        'hardSigmoid',
        'tanh',
        'softplus',
        'softsign',
        'swish',
        'mish',
        'gelu',
        'softmax',
      ] as const
    ).map((activation): [string, () => tfl.LayersModel] => [
      `the activation ${activation}`,
      () => through(conv(), tfl.layers.activation({ activation }), flat()),
    ]),
    [
      'layers that are activations',
      () =>
        through(
          conv(),
          tfl.layers.leakyReLU({ alpha: 0.1 }),
          conv(),
          tfl.layers.elu({}),
          tfl.layers.prelu({ alphaInitializer: tfl.initializers.constant({ value: 0.3 }) }),
          tfl.layers.reLU({ maxValue: 1 }),
          flat(),
          tfl.layers.softmax({}),
        ),
    ],
    [
      'branches, sums and models within models',
      () => {
        const input = image();
        const inner = tfl.sequential({ layers: [conv({ inputShape: [9, 8, 3], padding: 'same' }), tfl.layers.reLU()] });
        const branches = [inner, conv({ padding: 'same' }), conv({ padding: 'same' })].map(
          (layer) => layer.apply(input) as tfl.SymbolicTensor,
        );
        const sum = tfl.layers.add().apply(branches.slice(0, 2)) as tfl.SymbolicTensor;
        const all = tfl.layers
          .concatenate()
          .apply([sum, tfl.layers.average().apply(branches) as tfl.SymbolicTensor]) as tfl.SymbolicTensor;
        return ended(input, flat().apply(all) as tfl.SymbolicTensor);
      },
    ],
  ];
  it.each(kinds)('with %s has its logits', async (_what, build) => {
    const classifier = classifierOfLayers(build());
    expect(await difference(classifier, 'nchw', 2)).toBeLessThan(1e-5);
    classifier.dispose();
  });

  it.each([
    [
      'permute',
      () => through(tfl.layers.permute({ dims: [2, 1, 3] }), flat()),
      /layer permute\S*: layers of class Permute cannot be written/,
    ],
    [
      'concatenate along the height',
      () => {
        const input = image();
        const both = [conv({ padding: 'same' }), conv({ padding: 'same' })].map(
          (layer) => layer.apply(input) as tfl.SymbolicTensor,
        );
        return ended(
          input,
          flat().apply(tfl.layers.concatenate({ axis: 1 }).apply(both) as tfl.SymbolicTensor) as tfl.SymbolicTensor,
        );
      },
      /axis 1 cannot be written/,
    ],
  ])('is refused by name where it cannot be: %s', (_what, build, message) => {
    const classifier = classifierOfLayers(build());
    expect(() => encodeOnnxModel(classifier)).toThrow(message);
    expect(() => encodeOnnxModel(classifier)).toThrow(BulwarkError);
    classifier.dispose();
  });
});

describe('an ONNX file', () => {
  it('states opset, ports, facts and classes, and leaves no tensor behind', async () => {
    const plugin = modelPlugins.find(({ name }) => name === 'small-cnn')!;
    const services = { inputShape: [8, 8, 1], classNames: ['no', 'yes'], random: () => createRandom(3, 'weights') };
    const network = (await plugin.create(plugin.options.parse({ width: 1 }), services as never)) as Classifier;
    const before = tf.memory().numTensors;
    const bytes = encodeOnnxModel(network, { context: { classNames: ['no', 'yes'], data: 'mine' } });
    expect(tf.memory().numTensors).toBe(before);
    const about = metadataOf(bytes);
    expect(about).toMatchObject({ opset: 17, irVersion: 8, producer: 'Bulwark', input: 'images', output: 'logits' });
    expect(JSON.parse(about.metadata['classes']!)).toEqual(['no', 'yes']);
    expect(factsFromMetadata(about.metadata)).toMatchObject({
      architecture: { use: 'small-cnn', width: 1 },
      classes: 2,
      data: 'mine',
    });
    network.dispose();
  });

  const interpreter = process.env['ONNX_PYTHON'] ?? 'python3';
  const python = (script: string) => spawnSync(interpreter, ['-c', script, written], { encoding: 'utf8' });
  const hasChecker = python('import onnx').status === 0;
  (hasChecker ? it : it.skip)('passes the checker of ONNX with shapes inferred (needs pip install onnx)', () => {
    const { stdout, stderr } = python(
      `import glob, onnx, sys
for path in glob.glob(sys.argv[1] + '/*.onnx'): onnx.checker.check_model(path, full_check=True)
print(len(glob.glob(sys.argv[1] + '/*.onnx')), 'checked')`,
    );
    expect(stderr).toBe('');
    expect(stdout.trim()).toBe(`${files} checked`);
    expect(files).toBeGreaterThan(40);
  });
});
