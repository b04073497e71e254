import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { allImages, logitsOf, startRun, type RunHandle } from '@bulwark/core';
import { fingerprintModel } from '@bulwark/core/evaluation';
import { factsFromMetadata, readSafetensors } from '@bulwark/core/formats';
import { goldenWeights, readLayersModel } from '@bulwark/models';
import { builtinRegistry } from '../registry.js';
import { temporaryFolder } from '../train/testing.js';
import { evaluateCommand } from './evaluate.js';
import { loadModel } from '@bulwark/inference';
import { parse } from 'yaml';
import { openSession } from '../../../models/src/testing/onnx-runtime.js';
import { hubReadme } from '../export/hub.js';
import type { ModelCard } from '../export/model-card.js';
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

  const logitsOfRun = () =>
    tf.tidy(() => {
      const pixels = Float32Array.from(allImages(handle.parts.data.test), (byte) => byte / 255);
      return { pixels, logits: logitsOf(handle.parts.model, tf.tensor4d(pixels, [12, 28, 28, 1])).dataSync() };
    });
  const ofOnnx = async (file: string, input: string, shape: readonly number[]) => {
    const session = await openSession(readFileSync(file));
    const { pixels, logits } = logitsOfRun();
    const found = await session.run(pixels, shape, input);
    await session.close();
    return Math.max(...logits.map((value, i) => Math.abs(value - found[i]!)));
  };

  it.each([
    ['nchw', [12, 1, 28, 28]],
    ['nhwc', [12, 28, 28, 1]],
  ])(
    'writes an ONNX model that takes %s, with the logits of the run, and five lines for each runtime',
    async (layout, shape) => {
      const out = join(folder, layout);
      await runExport(path, '--to', 'onnx', '--layout', layout, '--out', out);
      expect(await ofOnnx(join(out, 'model.onnx'), 'images', shape)).toBeLessThan(1e-5);
      const card = readFileSync(join(out, 'MODEL_CARD.md'), 'utf8');
      const blocks = [...card.matchAll(/```\n([^]*?)\n```/g)]
        .map(([, code]) => code!)
        .filter((code) => /onnxruntime/.test(code));
      expect(blocks.map((code) => code.split('\n').length)).toEqual([5, 5, 5]);
      for (const code of blocks) expect(code).toContain(`[n, ${shape.slice(1).join(', ')}]`);
      expect(card).toMatch(
        layout === 'nchw' ? /\[batch, 1, 28, 28\].*channels first/ : /\[batch, 28, 28, 1\].*channels last/,
      );
    },
  );

  it('writes the folder of a hub, which loads again, with figures only where they were measured', async () => {
    const out = join(folder, 'hub');
    const { card } = JSON.parse(await runExport(path, '--to', 'hub', '--out', out, '--json')) as { card: ModelCard };
    expect(await ofOnnx(join(out, 'onnx/model.onnx'), 'pixel_values', [12, 1, 28, 28])).toBeLessThan(1e-5);
    const json = (name: string) => JSON.parse(readFileSync(join(out, name), 'utf8')) as Record<string, unknown>;
    const { classNames } = handle.parts.data;
    expect(json('config.json')).toMatchObject({ num_labels: 10, id2label: { 0: classNames[0], 9: classNames[9] } });
    expect(json('preprocessor_config.json')).toMatchObject({
      do_rescale: true,
      rescale_factor: 1 / 255,
      do_normalize: false,
    });
    const model = await loadModel(out);
    const { pixels, logits } = logitsOfRun();
    const [first] = await model.predict(pixels);
    expect(Math.max(...first!.logits.map((value, i) => Math.abs(value - logits[i]!)))).toBeLessThan(1e-5);
    model.dispose();

    const frontOf = (text: string) => parse(/^---\n([^]*?)\n---\n/.exec(text)![1]!) as Record<string, unknown>;
    const readme = readFileSync(join(out, 'README.md'), 'utf8');
    expect(frontOf(readme)).toMatchObject({ library_name: 'bulwark', datasets: ['zalando-datasets/fashion_mnist'] });
    // clean accuracy was measured above, AutoAttack was not
    const results = (text: string) =>
      (frontOf(text)['model-index'] as { results: { metrics: { name: string; value: number }[] }[] }[])[0]!.results[0]!
        .metrics;
    expect(results(readme)).toEqual([
      expect.objectContaining({ name: expect.stringMatching(/^Clean accuracy \(%\), n = 6, 95% interval/) }),
    ]);
    expect(frontOf(hubReadme({ ...card, evaluations: [] }))).not.toHaveProperty('model-index');
    const [measured] = card.evaluations;
    const full = {
      ...measured!,
      tier: 'full',
      images: 1000,
      robust: { accuracy: 0.5, interval: [0.469, 0.531] as const },
    };
    expect(results(hubReadme({ ...card, evaluations: [measured!, full] }))[1]).toMatchObject({
      name: 'Robust accuracy under AutoAttack standard, linf 25.5/255 (%), n = 1000, 95% interval 46.9 to 53.1',
      value: 50,
    });
    expect(results(hubReadme({ ...card, evaluations: [{ ...full, complete: false }] }))).toHaveLength(1);
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
    await expect(runExport(path, '--to', 'pdf')).rejects.toThrow(/Allowed choices are tfjs, safetensors, onnx, hub/);
    await expect(runExport(path, '--to', 'onnx', '--layout', 'nwhc')).rejects.toThrow(/Allowed choices are nchw, nhwc/);
    await expect(runExport(join(folder, 'nowhere'), '--to', 'tfjs')).rejects.toMatchObject({ code: 'RUN_MISSING' });
    await expect(runExport(path, '--to', 'tfjs', '--checkpoint', 'first')).rejects.toMatchObject({ code: 'USAGE' });
  });
});
