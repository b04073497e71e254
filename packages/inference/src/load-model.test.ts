import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createNetwork,
  createRandom,
  createRegistry,
  defineModel,
  logitsOf,
  startRun,
  useEngine,
  type Network,
} from '@bulwark/core';
import { factsToMetadata, writeSafetensors } from '@bulwark/core/formats';
import { corePlugins } from '@bulwark/core/run';
import { dataPlugins, encodePng } from '@bulwark/datasets';
import {
  encodeOnnxModel,
  modelPlugins,
  saveWeights,
  smallCnn,
  exportedFacts,
  toLayersModel,
  toStateDict,
  writeLayersModel,
} from '@bulwark/models';
import { objectivePlugins } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { loadModel, type LoadedModel } from './load-model.js';

const folder = mkdtempSync(join(tmpdir(), 'bulwark-inference-'));
const at = (name: string) => join(folder, name);
const normalize = { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };
const classNames = ['plane', 'car', 'bird'];
const facts = { inputShape: [6, 5, 3] as const, classes: 3, normalize };
const architecture = { use: 'small-cnn', width: 2, normalize };
let network: Network;

/** Two images of 6 rows and 5 columns. */
const bytes = Uint8Array.from({ length: 2 * 90 }, (_, i) => (i * 37) % 256);
const first = bytes.subarray(0, 90);
const png = () => encodePng(first, [6, 5, 3]);
/** Of the network itself, without any of what is tested. */
const expected = () =>
  tf.tidy(() => {
    const images = tf.tensor4d(
      Float32Array.from(bytes, (byte) => byte / 255),
      [2, 6, 5, 3],
    );
    return tf.softmax(logitsOf(network, images)).arraySync() as number[][];
  });
const near = (found: readonly { probabilities: Readonly<Record<string, number>> }[], rows = expected()) => {
  expect(found).toHaveLength(rows.length);
  found.forEach(({ probabilities }, i) =>
    Object.values(probabilities).forEach((value, k) => expect(value).toBeCloseTo(rows[i]![k]!, 5)),
  );
};

beforeAll(async () => {
  await useEngine('wasm');
  const graph = smallCnn({ inputShape: facts.inputShape, classes: 3, width: 2, normalize });
  network = createNetwork(graph, { name: 'small-cnn', architecture, random: createRandom(1, 'test') });
  saveWeights(network, at('model.safetensors'), { classNames });
  expected(); // its first pass leaves weights with BatchNorm in them, which later ones take
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('loadModel', () => {
  it('takes architecture, normalisation and class names from the file, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const model = await loadModel(at('model.safetensors'));
    expect(model.classNames).toEqual(classNames);
    expect(model.facts.architecture).toMatchObject({ use: 'small-cnn', width: 2 });
    const found = await model.predict(bytes, { batchSize: 1 });
    near(found);
    expect(Object.keys(found[0]!.probabilities)).toEqual(classNames);
    const [best] = Object.entries(found[0]!.probabilities).sort(([, a], [, b]) => b - a);
    expect([found[0]!.label, found[0]!.probability]).toEqual(best);
    expect(classNames[found[0]!.index]).toBe(found[0]!.label);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('reads a run, and the layers model, that hold the same weights as their exports', async () => {
    const registry = createRegistry([...corePlugins, ...modelPlugins, ...dataPlugins, ...objectivePlugins]);
    const config = {
      name: 'tiny',
      engine: 'wasm',
      epochs: 1,
      data: { use: 'fashion-mnist-mini', limit: { train: 64, test: 12 }, validation: 0, batchSize: 32 },
      model: { use: 'small-cnn', width: 2 },
      threat: { epsilon: 0.1 },
      objective: 'natural',
      evaluation: { attacks: [] },
    };
    const run = await startRun(config, { registry, baseFolder: folder, folder: () => at('run') });
    await run.train();
    const trained = run.parts.model as Network;
    const layers = toLayersModel(trained);
    await writeLayersModel(
      layers,
      at('tfjs'),
      factsToMetadata(exportedFacts(trained, { classNames: run.parts.data.classNames })),
    );
    const images = new Uint8ClampedArray(784).map((_, i) => i % 256);
    const rows = tf.tidy(
      () =>
        tf
          .softmax(
            logitsOf(
              trained,
              tf.tensor4d(
                Float32Array.from(images, (byte) => byte / 255),
                [1, 28, 28, 1],
              ),
            ),
          )
          .arraySync() as number[][],
    );
    for (const path of ['run', 'tfjs', 'tfjs/model.json', 'run/checkpoints/last.safetensors']) {
      const model = await loadModel(at(path));
      expect(model.classNames).toEqual(run.parts.data.classNames);
      near(await model.predict(images), rows);
      model.dispose();
    }
    layers.dispose();
    run.dispose();
  });

  it("reads the run of a user's own layers model and its exports; weights alone do not have its layers", async () => {
    const kernelInitializer = tfl.initializers.heNormal({ seed: 4 });
    const layers = [
      tfl.layers.conv2d({ inputShape: [28, 28, 1], filters: 2, kernelSize: 3, strides: 4, kernelInitializer }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
    ];
    await writeLayersModel(tfl.sequential({ layers }), at('own'));
    const registry = createRegistry([...corePlugins, ...modelPlugins, ...dataPlugins, ...objectivePlugins]);
    const config = {
      name: 'layers',
      engine: 'wasm',
      epochs: 1,
      data: { use: 'fashion-mnist-mini', limit: { train: 64, test: 12 }, validation: 0, batchSize: 32 },
      model: { use: 'layers-model', path: 'own/model.json' },
      threat: { epsilon: 0.1 },
      objective: 'natural',
      evaluation: { attacks: [] },
    };
    const run = await startRun(config, { registry, baseFolder: folder, folder: () => at('layers-run') });
    await run.train();
    const pixels = new Uint8ClampedArray(784).map((_, i) => (i * 7) % 256);
    const rows = tf.tidy(() => {
      const images = tf.tensor4d(
        Float32Array.from(pixels, (byte) => byte / 255),
        [1, 28, 28, 1],
      );
      return tf.softmax(logitsOf(run.parts.model, images)).arraySync() as number[][];
    });
    const model = await loadModel(at('layers-run'));
    near(await model.predict(pixels), rows);
    expect(model.classNames).toEqual(run.parts.data.classNames);
    model.dispose();
    run.dispose();
    await expect(loadModel(at('layers-run/checkpoints/last.safetensors'))).rejects.toThrow(/but not its layers/);
  });

  it('of a file of another tool needs facts, and says which and what the tensors look like', async () => {
    writeFileSync(at('foreign.safetensors'), writeSafetensors(toStateDict(network)));
    await expect(loadModel(at('foreign.safetensors'))).rejects.toThrow(
      /does not say its architecture, inputShape and classes; its tensors are those of .*small-cnn.* with 3 classes/,
    );
    const model = await loadModel(at('foreign.safetensors'), {
      facts: { ...facts, architecture: { use: 'small-cnn', width: 2 } },
    });
    near(await model.predict(bytes));
    expect(model.classNames).toEqual(['0', '1', '2']);
    model.dispose();
  });

  it('runs plugins that the caller gives, and no others', async () => {
    const own = defineModel({
      name: 'my-own',
      summary: 'A model of mine.',
      create: (_options, { inputShape, classNames, random }) =>
        createNetwork(smallCnn({ inputShape, classes: classNames.length, width: 1 }), {
          name: 'my-own',
          architecture: { use: 'my-own' },
          random: random('initialisation'),
        }),
    });
    const graph = smallCnn({ inputShape: facts.inputShape, classes: 3, width: 1 });
    const mine = createNetwork(graph, {
      name: 'my-own',
      architecture: { use: 'my-own' },
      random: createRandom(2, 'test'),
    });
    saveWeights(mine, at('mine.safetensors'));
    mine.dispose();
    await expect(loadModel(at('mine.safetensors'))).rejects.toMatchObject({ code: 'PLUGIN_UNKNOWN' });
    const model = await loadModel(at('mine.safetensors'), { plugins: [own] });
    expect(await model.predict(first)).toHaveLength(1);
    model.dispose();
  });

  it.each([
    ['nothing there', 'nowhere', 'RUN_MISSING'],
    ['an empty folder', '.', 'RUN_MISSING'],
    ['no weights', 'text.safetensors', 'WEIGHTS_INVALID'],
    ['an ONNX model', 'onnx', 'WEIGHTS_INVALID'],
    ['an architecture with options that it cannot have', 'wide.safetensors', 'MODEL_INVALID'],
  ])('refuses %s', async (_what, name, code) => {
    const empty = mkdtempSync(join(folder, 'empty-'));
    writeFileSync(at('text.safetensors'), 'hello');
    mkdirSync(at('onnx'), { recursive: true });
    writeFileSync(at('onnx/model.onnx'), encodeOnnxModel(network));
    const about = factsToMetadata({ ...facts, architecture: { use: 'small-cnn', width: -1 } });
    writeFileSync(at('wide.safetensors'), writeSafetensors(toStateDict(network), about));
    await expect(loadModel(name === '.' ? empty : at(name))).rejects.toMatchObject({ code });
  });
});

describe('predict', () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel(at('model.safetensors'));
    await model.predict(bytes); // from here on it keeps as many tensors as ever
  });
  afterAll(() => model.dispose());

  it('takes images in every form, alone and in lists, with the same result', async () => {
    const floats = Float32Array.from(bytes, (byte) => byte / 255);
    const tensor = tf.tensor4d(floats, [2, 6, 5, 3]);
    const ints = tf.tensor3d([...first], [6, 5, 3], 'int32');
    const rgba = new Uint8ClampedArray(120).map((_, i) =>
      i % 4 === 3 ? 255 : first[Math.floor(i / 4) * 3 + (i % 4)]!,
    );
    const before = tf.memory().numTensors;
    for (const both of [bytes, new Uint8ClampedArray(bytes), floats, tensor]) near(await model.predict(both));
    const [row] = expected();
    for (const one of [
      png(),
      ints,
      { data: rgba, width: 5, height: 6 },
      { data: first, width: 5, height: 6 },
      { data: first, info: { width: 5, height: 6, channels: 3 } },
      Uint8Array.from(png()).buffer,
      [Buffer.from(png())],
    ])
      near(await model.predict(one as never), [row!]);
    near(await model.predict([png(), { data: bytes.subarray(90), width: 5, height: 6 }]));
    expect(await model.predict([])).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([tensor, ints]);
  });

  it('may be called again before it is done', async () => {
    const many = await Promise.all(Array.from({ length: 8 }, () => model.predict(bytes)));
    for (const found of many) near(found);
  });

  it.each([
    [
      'text',
      Buffer.from('hello, this is text'),
      /19 bytes are neither an image file .* nor images of 5x6 pixels with 3 channels/,
    ],
    ['no bytes', new Uint8Array(), /0 bytes/],
    ['a GIF', Buffer.from('GIF89a\x01\0\x01\0'), /GIF/],
    ['a PNG that is cut off', encodePng(new Uint8Array(90), [6, 5, 3]).subarray(0, 40), /image/],
    ['an image of another size', encodePng(new Uint8Array(54), [6, 3, 3]), /3x6 pixels; the model takes 5x6/],
    ['values beyond 1', new Float32Array(90).fill(2), /a pixel is 2; allowed is \[0, 1\]/],
    ['values that are no numbers', new Float32Array(90).fill(NaN), /a pixel is NaN/],
    ['a path', 'image.png', /string "image.png" is no image/],
    ['null', null, /is no image/],
    ['an object of something else', { info: null, data: 3 }, /Object is no image/],
    ['a list of lists', [[1, 2, 3]], /image 0: Array is no image/],
    ['numbers that fit no pixels', { data: new Uint8Array(31), width: 5, height: 6 }, /31 numbers/],
  ])('refuses %s', async (_what, image, message) => {
    await expect(model.predict(image as never)).rejects.toThrow(message);
  });

  it('refuses tensors of another shape, and batches of no size', async () => {
    const tensor = tf.zeros([2, 5, 6, 3]) as tf.Tensor4D;
    await expect(model.predict(tensor)).rejects.toThrow(/a tensor float32 \[2,5,6,3\]/);
    await expect(model.predict(first, { batchSize: 0 })).rejects.toThrow(/batchSize is 0/);
    tensor.dispose();
  });
});
