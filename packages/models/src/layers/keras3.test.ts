import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { classifierOfLayers, logitsOf, useEngine } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { expectInDocs, formsTable } from '../../../core/test/docs-table.js';
import { readLayersModel } from './files.js';
import { translateTopology } from './keras3.js';

const folder = mkdtempSync(join(tmpdir(), 'bulwark-keras-'));
beforeAll(() => useEngine('cpu'));
afterAll(() => rmSync(folder, { recursive: true }));

type Weight = readonly [name: string, shape: readonly number[]];

/** Writes a model.json with weights that count up from -1 in steps of 0.01. */
function write(topology: object, weights: readonly Weight[], more: object = { format: 'layers-model' }): string {
  const count = weights.reduce((sum, [, shape]) => sum + shape.reduce((size, n) => size * n, 1), 0);
  writeFileSync(
    join(folder, 'w.bin'),
    Float32Array.from({ length: count }, (_, i) => (i % 200) / 100 - 1),
  );
  const manifest = [{ paths: ['w.bin'], weights: weights.map(([name, shape]) => ({ name, shape, dtype: 'float32' })) }];
  const path = join(folder, 'model.json');
  writeFileSync(path, JSON.stringify({ ...more, modelTopology: topology, weightsManifest: manifest }));
  return path;
}

const logits = async (path: string, warn?: (text: string) => void) => {
  const model = classifierOfLayers(await readLayersModel(path, warn), { name: 'm' });
  const [h, w, c] = model.inputShape;
  const images = tf.tensor4d(
    Float32Array.from({ length: h * w * c }, (_, i) => (i % 7) / 7),
    [1, h, w, c],
  );
  return [...logitsOf(model, images).dataSync()];
};

const policy = { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' }, registered_name: null };
/** A layer as Keras 2 and as Keras 3 write it; `from` names the layers that feed it. */
const layer = (kind: 2 | 3, className: string, config: { name: string } & object, from: readonly string[] = []) => {
  const whole = { trainable: true, dtype: kind === 2 ? 'float32' : policy, ...config };
  const tensor = (name: string) => ({
    class_name: '__keras_tensor__',
    config: { dtype: 'float32', keras_history: [name, 0, 0] },
  });
  const tensors = from.map(tensor);
  const links =
    kind === 2
      ? from.length > 0 && [from.map((name) => [name, 0, 0, {}])]
      : from.length > 0 && [{ args: from.length > 1 ? [tensors] : tensors, kwargs: { mask: null } }];
  return {
    class_name: className,
    name: config.name,
    config: whole,
    ...(kind === 3 && { module: 'keras.layers', registered_name: null, build_config: { input_shape: [null, 4] } }),
    ...{ inbound_nodes: links || [] },
  };
};
const input = (kind: 2 | 3, name: string, shape: readonly (number | null)[]) =>
  layer(kind, 'InputLayer', { name, ...(kind === 2 ? { batch_input_shape: shape } : { batch_shape: shape }) } as never);

/** Two branches that are added, a depthwise convolution, and an activation whose option was renamed. */
const functional = (kind: 2 | 3) => ({
  keras_version: kind === 2 ? '2.15.0' : '3.4.1',
  model_config: {
    class_name: 'Functional',
    config: {
      name: 'functional_1',
      layers: [
        input(kind, 'image', [null, 4, 4, 2]),
        layer(
          kind,
          'Conv2D',
          {
            name: 'conv',
            filters: 2,
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: 'same',
            data_format: 'channels_last',
            activation: 'linear',
            use_bias: false,
          } as never,
          ['image'],
        ),
        layer(
          kind,
          'DepthwiseConv2D',
          {
            name: 'depth',
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: 'same',
            depth_multiplier: 1,
            activation: 'linear',
            use_bias: false,
          } as never,
          ['conv'],
        ),
        layer(
          kind,
          'LeakyReLU',
          { name: 'leaky', ...(kind === 2 ? { alpha: 0.125 } : { negative_slope: 0.125 }) } as never,
          ['depth'],
        ),
        layer(kind, 'Add', { name: 'sum' }, ['leaky', 'image']),
        layer(kind, 'GlobalAveragePooling2D', { name: 'pool', data_format: 'channels_last' } as never, ['sum']),
        layer(kind, 'Dense', { name: 'head', units: 3, activation: 'linear', use_bias: true } as never, ['pool']),
      ],
      input_layers: kind === 2 ? [['image', 0, 0]] : ['image', 0, 0],
      output_layers: kind === 2 ? [['head', 0, 0]] : ['head', 0, 0],
    },
  },
});
const weightsOf = (kind: 2 | 3): Weight[] => {
  const within = kind === 2 ? '' : 'functional_1/';
  return [
    [`${within}conv/kernel`, [3, 3, 2, 2]],
    [`${within}depth/${kind === 2 ? 'depthwise_kernel' : 'kernel'}`, [3, 3, 2, 1]],
    [`${within}head/kernel`, [2, 3]],
    [`${within}head/bias`, [3]],
  ];
};

const dense = (before: object[]) => ({
  class_name: 'Sequential',
  config: {
    name: 'sequential',
    layers: [
      { class_name: 'InputLayer', config: { batch_input_shape: [null, 2, 2, 1], dtype: 'float32', name: 'image' } },
      ...before,
      { class_name: 'Flatten', config: { name: 'flat' } },
      { class_name: 'Dense', config: { name: 'head', units: 2, activation: 'linear', use_bias: true } },
    ],
  },
});
const denseWeights: Weight[] = [
  ['head/kernel', [4, 2]],
  ['head/bias', [2]],
];

const image3 = { class_name: '__keras_tensor__', config: { keras_history: ['image', 0, 0] } };
/** The layer that stands for an operation on these arguments. */
const operationOf = (kind: string, args: readonly unknown[]) => {
  const operation = { module: 'keras.src.ops.numpy', class_name: kind, name: 'op', config: { name: 'op' } };
  const layers = [input(3, 'image', [null, 4]), { ...operation, inbound_nodes: [{ args, kwargs: {} }] }];
  const topology = { class_name: 'Functional', config: { name: 'all', layers } };
  return (translateTopology(topology) as typeof topology).config.layers[1];
};

const rows: [form: string, outcome: string][] = [];
afterAll(() => expectInDocs('weights.md', 'keras3.test.ts', formsTable(rows)));

describe("Keras 3's model.json", () => {
  rows.push(
    ["`model.json` of Keras 3, by TensorFlow.js's converter", 'loads'],
    ['the same with models within models, shared layers, SiLU, `x * 2 - 1`, penalties and constraints', 'loads'],
    ['the same with an operation that is no layer (`keras.ops.relu`)', 'refused'],
    ['two weights of one name', 'refused'],
  );

  it('computes what the same model computes as Keras 2 writes it', async () => {
    const old = await logits(write(functional(2), weightsOf(2)));
    expect(new Set(old).size).toBe(3);
    expect(await logits(write(functional(3), weightsOf(3)))).toEqual(old);
    // some converters leave the model's name away
    const bare = weightsOf(3).map(([name, shape]): Weight => [name.replace('functional_1/', ''), shape]);
    expect(await logits(write(functional(3), bare))).toEqual(old);
  });

  it('of a real model with models within, SiLU, sums by operators, penalties and constraints computes what Keras did', async () => {
    const real = JSON.parse(
      readFileSync(fileURLToPath(new URL('../../fixtures/keras3-nested.json', import.meta.url)), 'utf8'),
    ) as { model: object; weights: number[]; images: number[]; logits: number[] };
    writeFileSync(join(folder, 'w.bin'), Float32Array.from(real.weights));
    writeFileSync(join(folder, 'real.json'), JSON.stringify(real.model));
    const model = classifierOfLayers(await readLayersModel(join(folder, 'real.json')), { name: 'm' });
    const found = logitsOf(model, tf.tensor4d(real.images, [2, 6, 6, 1])).dataSync();
    real.logits.forEach((each, i) => expect(found[i]).toBeCloseTo(each, 4));
  });

  it.each([
    ['TrueDivide', [image3, 255], 'Rescaling'],
    ['Subtract', [1, image3], 'Rescaling'],
    ['Maximum', [image3, image3], 'Maximum'],
  ])('has the operation %s as a layer', (kind, args, expected) => {
    expect(operationOf(kind, args)).toMatchObject({ class_name: expected, name: 'op', inbound_nodes: [expect.arrayContaining([['image', 0, 0, {}]])] }); // prettier-ignore
  });
  it.each([
    ['Relu', [image3]],
    ['Maximum', [image3, 0.5]],
    ['TrueDivide', [1, image3]],
    ['Concatenate', [[image3, image3]]],
    ['Multiply', []],
  ])('is refused with the operation %s, which is no layer', (kind, args) => {
    expect(() => operationOf(kind, args)).toThrow(new RegExp(`op is the operation ${kind}, not a layer`));
  });

  it('whose weights become two of one name is refused', async () => {
    const [first, ...others] = weightsOf(3);
    const twice: Weight[] = [first!, [`other/${first![0]}`, first![1]], ...others];
    await expect(logits(write(functional(3), twice))).rejects.toMatchObject({
      code: 'WEIGHTS_INVALID',
      message: expect.stringContaining('two weights of the model are called conv/kernel'),
    });
  });
});

describe('what is no layers model is called what it is', () => {
  const others: [string, () => string, RegExp][] = [
    [
      'a graph model by its format',
      () => write({ node: [] }, [], { format: 'graph-model' }),
      /graph model: operations/,
    ],
    ['a graph model by its nodes', () => write({ node: [] }, [], {}), /graph model: operations/],
    ['a .keras file', () => other('PK\u0003\u0004....'), /a zip archive \(\.keras/],
    ['an .h5 file', () => other('\u0089HDF\r\n'), /an HDF5 file/],
    ['a web page', () => other('\n<!DOCTYPE html><html>'), /a web page/],
  ];
  rows.push(...others.map(([what]): [string, string] => [`${what}, as a layers model`, 'refused']));
  it.each(others)('%s', async (_, make, message) => {
    await expect(readLayersModel(make())).rejects.toMatchObject({
      code: 'WEIGHTS_INVALID',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/tensorflowjs_converter/),
    });
  });
  const other = (text: string) => {
    writeFileSync(join(folder, 'other'), Buffer.from(text, 'latin1'));
    return join(folder, 'other');
  };
});

describe('images that the model scales again', () => {
  rows.push(['`Rescaling(1/255)` within the model', 'loads, with a warning']);
  const rescaling = (scale: unknown) => ({ class_name: 'Rescaling', config: { name: 'r', scale, offset: 0 } });
  const said = async (topology: object) => {
    const warnings: string[] = [];
    await logits(write({ model_config: topology }, denseWeights), (text) => void warnings.push(text));
    return warnings.join();
  };

  it.each([1 / 255, 1 / 127.5, 1 / 256])('are warned of: Rescaling(%d)', async (scale) => {
    expect(await said(dense([rescaling(scale)]))).toMatch(/layer r divides images by (255|127\.5|256), .*scaled twice/);
  });
  it('in a model within the model, too', async () => {
    const inner = {
      class_name: 'Sequential',
      config: {
        name: 'inner',
        layers: [
          { class_name: 'InputLayer', config: { batch_input_shape: [null, 2, 2, 1], name: 'in' } },
          rescaling(1 / 255),
        ],
      },
    };
    expect(await said(dense([inner]))).toMatch(/scaled twice/);
  });
  it('are not warned of where images in [0, 1] become [-1, 1]', async () => {
    expect(await said(dense([rescaling(2)]))).toBe('');
    expect(await said(dense([]))).toBe('');
  });
});
