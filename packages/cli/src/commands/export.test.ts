import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import {
  allImages,
  factsFromMetadata,
  fingerprintModel,
  logitsOf,
  readSafetensors,
  startRun,
  type RunHandle,
} from '@bulwark/core';
import { goldenWeights, readLayersModel } from '@bulwark/models';
import { builtinRegistry } from '../registry.js';
import { temporaryFolder } from '../train/testing.js';
import { evaluateCommand } from './evaluate.js';
import { exportCommand } from './export.js';

const folder = temporaryFolder();
const path = join(folder, 'run');
let handle: RunHandle;

beforeAll(async () => {
  const config = {
    name: 'tiny',
    engine: 'wasm',
    epochs: 1,
    data: { use: 'fashion-mnist-mini', limit: { train: 64, test: 12 }, validation: 0, batchSize: 32 },
    model: { use: 'small-cnn', width: 2 },
    threat: { epsilon: 0.1 },
    objective: { use: 'natural' },
    evaluation: { attacks: [] },
  };
  handle = await startRun(config, { registry: builtinRegistry(), baseFolder: folder, folder: () => path });
  await handle.train();
});
afterAll(() => {
  handle.dispose();
  rmSync(folder, { recursive: true });
});

let printed = '';
const quietly = async (work: () => Promise<unknown>) => {
  printed = '';
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    jest.spyOn(process[stream], 'write').mockImplementation((text) => Boolean((printed += String(text)))),
  );
  await work().finally(() => spies.forEach((spy) => spy.mockRestore()));
  return printed;
};
const runExport = (...args: string[]) =>
  quietly(() => exportCommand().exitOverride().parseAsync(args, { from: 'user' }));

describe('bulwark export', () => {
  it('writes a stock layers model with the logits of the run, and a card that admits that nothing was evaluated', async () => {
    expect(await runExport(path, '--to', 'tfjs')).toMatch(/no evaluation/);
    const exported = join(path, 'export', 'tfjs');
    const stock = await readLayersModel(join(exported, 'model.json'));
    const { model, data } = handle.parts;
    const images = tf.tensor4d(
      Float32Array.from(allImages(data.test), (byte) => byte / 255),
      [12, 28, 28, 1],
    );
    const ours = logitsOf(model, images);
    const difference = tf.max(tf.abs(tf.sub(ours, stock.predict(images) as tf.Tensor))).dataSync()[0];
    expect(difference).toBeLessThan(1e-5);
    const markdown = readFileSync(join(exported, 'MODEL_CARD.md'), 'utf8');
    expect(markdown).toMatch(/# tiny: small-cnn for fashion-mnist-mini/);
    expect(markdown).toMatch(/Robust accuracy is unknown/);
    expect(markdown).toMatch(/linf, epsilon 0\.1/);
  });

  it('writes safetensors in the layout of PyTorch, and states the evaluation of these weights with its tier', async () => {
    const evaluation = ['--attacks', 'fgsm', '--images', '6', '--json'];
    await quietly(() => evaluateCommand().parseAsync([path, ...evaluation], { from: 'user' }));
    const out = join(folder, 'out');
    const text = await runExport(path, '--to', 'safetensors', '--out', out, '--json');
    const { card } = JSON.parse(text) as { card: { evaluations: { tier: string; images: number }[] } };
    expect(card.evaluations).toMatchObject([{ tier: 'custom', images: 6 }]);
    expect(JSON.parse(readFileSync(join(out, 'model-card.json'), 'utf8'))).toMatchObject({
      format: 'bulwark-model-card',
      architecture: { name: 'small-cnn', parameters: expect.any(Number) },
      input: { shape: [28, 28, 1] },
      training: { seed: 1, engine: 'wasm', objective: { use: 'natural' }, config: { epochs: 1 } },
    });
    expect(readFileSync(join(out, 'MODEL_CARD.md'), 'utf8')).toMatch(/### Tier `custom`/);
    const { tensors, metadata } = readSafetensors(readFileSync(join(out, 'model.safetensors')));
    expect(tensors.get('conv2.weight')!.shape).toEqual([4, 2, 3, 3]);
    expect(metadata).toMatchObject({ format: 'pt' });
    expect(factsFromMetadata(metadata)).toEqual({
      architecture: { use: 'small-cnn', width: 2 },
      inputShape: [28, 28, 1],
      normalize: null,
      classes: 10,
      classNames: handle.parts.data.classNames,
      threat: { norm: 'linf', epsilon: 0.1 },
      data: 'fashion-mnist-mini',
      objective: 'natural',
      fingerprint: await fingerprintModel(handle.parts.model),
    });
  });

  it('exports a weights file that was trained elsewhere, and does not claim to know how', async () => {
    const about = ['--model', 'small-cnn', '--data', 'fashion-mnist-mini', '--epsilon', '0.1'];
    const out = join(folder, 'elsewhere');
    await runExport(goldenWeights('fmnist-small-trades'), ...about, '--to', 'safetensors', '--out', out);
    const official = readSafetensors(readFileSync(goldenWeights('fmnist-small-trades'))).tensors;
    const { tensors } = readSafetensors(readFileSync(join(out, 'model.safetensors')));
    expect(tensors.get('conv3.weight')).toEqual(official.get('conv3.weight'));
    expect(readFileSync(join(out, 'MODEL_CARD.md'), 'utf8')).toMatch(/not trained by this installation/);
  });

  it('refuses a form that it does not know, and a run that does not exist', async () => {
    await expect(runExport(path, '--to', 'onnx')).rejects.toThrow(/Allowed choices are tfjs, safetensors/);
    await expect(runExport(join(folder, 'nowhere'), '--to', 'tfjs')).rejects.toMatchObject({ code: 'RUN_MISSING' });
    await expect(runExport(path, '--to', 'tfjs', '--checkpoint', 'first')).rejects.toMatchObject({ code: 'USAGE' });
  });
});
