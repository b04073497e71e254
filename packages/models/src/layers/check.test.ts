import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { BulwarkError, useEngine } from '@bulwark/core';
import * as tfl from '@tensorflow/tfjs-layers';
import { checkTopology } from './check.js';
import { readLayersModel, writeLayersModel } from './files.js';

const folder = mkdtempSync(join(tmpdir(), 'bulwark-layers-'));
const file = join(folder, 'model.json');
let honest: string;

beforeAll(async () => {
  await useEngine('cpu');
  const input = tfl.input({ shape: [4], name: 'in' });
  const shared = tfl.layers.dense({ units: 4, name: 'shared' });
  const inner = tfl.sequential({
    layers: [tfl.layers.dense({ units: 3, inputShape: [4], name: 'deep' })],
    name: 'inner',
  });
  const twice = shared.apply(shared.apply(input)) as tfl.SymbolicTensor;
  const sum = tfl.layers.add({ name: 'sum' }).apply([twice, input]) as tfl.SymbolicTensor;
  const model = tfl.model({ inputs: input, outputs: inner.apply(sum) as tfl.SymbolicTensor });
  await writeLayersModel(model, folder);
  honest = readFileSync(file, 'utf8');
});

const outcome = async (text: string): Promise<string> => {
  writeFileSync(file, text);
  try {
    (await readLayersModel(file)).dispose();
    return 'read';
  } catch (error) {
    if (!(error instanceof BulwarkError)) throw error;
    return error.code;
  }
};

/** Replaces the first occurrence in the description. */
const changed = (from: string | RegExp, to: string) => {
  expect(honest).toMatch(from);
  return honest.replace(from, to);
};

describe('the description of a layers model', () => {
  it('with shared layers and models within is read', async () => {
    expect(await outcome(honest)).toBe('read');
  });

  it.each([
    ['a layer under another name', () => changed('"name":"shared"', '"name":"shaied"')],
    ['a layer that waits for none there is', () => changed(/"inbound_nodes":\[\[\["in"/, '"inbound_nodes":[[["no"')],
    ['a layer that waits for itself', () => changed(/"inbound_nodes":\[\[\["in"/, '"inbound_nodes":[[["shared"')],
    ['a node that never is', () => changed(/\["shared",0,0,/, '["shared",7,0,')],
    ['a negative node', () => changed(/\["shared",0,0,/, '["shared",-1,0,')],
    ['two layers of one name', () => honest.replaceAll('"sum"', '"shared"')],
    ['layers that are no list', () => changed(/"layers":\[/, '"layers":7,"no":[')],
    ['a layer that is null', () => changed(/"layers":\[/, '"layers":[null,')],
    ['sizes that its weights have not', () => changed('"units":4', '"units":40000000')],
    ['sizes beyond all numbers', () => changed('"units":4', '"units":1e300')],
    ['a weight without a shape', () => changed(/"shape":\[4,4\]/, '"form":[4,4]')],
    ['a weight of a negative shape', () => changed(/"shape":\[4,4\]/, '"shape":[-4,-4]')],
    [
      'a weight of an unknown type',
      () => changed(/"shape":\[4,4\],"dtype":"float32"/, '"shape":[4,4],"dtype":"toString"'),
    ],
    ['a manifest that is no list of groups', () => changed('"weightsManifest":[{', '"weightsManifest":[null,{')],
    ['a shard elsewhere', () => changed('"group1-shard1of1.bin"', '"../model.json"')],
    ['a shard that is the folder', () => changed('"group1-shard1of1.bin"', '".."')],
  ])('is refused, never waited for, with %s', async (_what, text) => {
    expect(['MODEL_INVALID', 'WEIGHTS_INVALID']).toContain(await outcome(text()));
  });
});

describe('options that TensorFlow.js reads over', () => {
  const layer = (kind: string, config: object) => ({ class_name: kind, config: { name: 'one', ...config } });
  const topology = (kind: string, config: object, version = '2.15.0') => ({
    keras_version: version,
    class_name: 'Sequential',
    config: { name: 'all', layers: [layer(kind, config)] },
  });

  it.each([
    ['DepthwiseConv2D', { dilation_rate: [2, 2] }],
    ['Conv2DTranspose', { dilation_rate: [1, 2] }],
    ['Conv2DTranspose', { output_padding: [1, 1] }],
    ['Conv2D', { groups: 2 }],
    ['ReLU', { negative_slope: 0.1 }],
    ['ReLU', { negative_slope: [0.1] }],
    ['ReLU', { threshold: 0.5 }],
    ['GlobalAveragePooling2D', { keepdims: true }],
    ['BatchNormalization', { renorm: true }],
    ['Resizing', { crop_to_aspect_ratio: true }],
  ])('are refused: %s %j', (kind, config) => {
    const option = Object.keys(config)[0]!;
    expect(() => checkTopology(topology(kind, config), 'm.json')).toThrow(
      new RegExp(`layer one \\(${kind}\\) has ${option} .*leaves out of account`),
    );
    const within = { class_name: 'Sequential', config: { name: 'outer', layers: [topology(kind, config)] } };
    expect(() => checkTopology(within, 'm.json')).toThrow(/leaves out of account/);
  });

  it.each([
    ['DepthwiseConv2D', { dilation_rate: [1, 1] }],
    ['Conv2D', { groups: 1, dilation_rate: [2, 2] }],
    ['Conv2DTranspose', { output_padding: null, dilation_rate: [1, 1] }],
    ['ReLU', { negative_slope: 0, threshold: 0, max_value: 6 }],
    ['GlobalAveragePooling2D', { keepdims: false }],
  ])('are taken as TensorFlow.js computes them: %s %j', (kind, config) => {
    expect(() => checkTopology(topology(kind, config), 'm.json')).not.toThrow();
  });

  it('are refused where any Keras places pixels otherwise than TensorFlow.js', () => {
    const config = { size: [2, 2], interpolation: 'bilinear' };
    for (const version of ['2.15.0', '3.5.0'])
      expect(() => checkTopology(topology('UpSampling2D', config, version), 'm')).toThrow(/interpolation "bilinear"/);
    expect(() => checkTopology(topology('UpSampling2D', config, 'tfjs-layers 4.22.0'), 'm')).not.toThrow();
    expect(() => checkTopology(topology('UpSampling2D', { interpolation: 'nearest' }), 'm')).not.toThrow();
  });

  it("are refused where Keras 3 means another function than Keras 2, TensorFlow.js's", () => {
    const config = { activation: 'hard_sigmoid' };
    expect(() => checkTopology(topology('Dense', config), 'm.json')).not.toThrow();
    expect(() => checkTopology(topology('Dense', config, '3.5.0'), 'm.json')).toThrow(/relu6/);
  });
});
