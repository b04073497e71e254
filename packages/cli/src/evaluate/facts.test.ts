import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { logitsOf, startRun, takeExamples, type Classifier, type RunHandle } from '@bulwark/core';
import { readSafetensors, writeSafetensors } from '@bulwark/core/formats';
import { openRunFolder } from '@bulwark/core/run';
import { restoreModel } from '@bulwark/core/trainer';
import { encodeWeights, readLayersModel } from '@bulwark/models';
import { exportCommand } from '../commands/export.js';
import { temporaryFolder, testRegistry } from '../train/testing.js';
import { openTarget, type TargetFlags } from './open-target.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));

const normalize = { mean: [0.2860406], std: [0.3530242] };
/** Options that change what is computed, but no tensor's name or shape. */
const models = {
  'small-cnn': { use: 'small-cnn', width: 2, normalize },
  'preact-resnet18': { use: 'preact-resnet18', width: 2, blocks: [1, 1], shortcut: 'raw' },
} as const;
type Name = keyof typeof models;

const runs = new Map<Name, RunHandle>();
const runFolder = (name: Name) => join(folder, name);
const file = (name: Name) => join(folder, `${name}-out`, 'model.safetensors');

const startOf = (name: Name, model: object = models[name], as: string = name) =>
  startRun(
    {
      name: as,
      engine: 'wasm',
      epochs: 1,
      data: { use: 'fashion-mnist-mini', limit: { train: 32, test: 6 }, validation: 0, batchSize: 32 },
      model,
      threat: { norm: 'l2', epsilon: 0.25 },
      objective: { use: 'natural' },
      evaluation: { attacks: [] },
    },
    { registry: testRegistry(), baseFolder: folder, folder: (run) => join(folder, run) },
  );

const exporting = async (...args: string[]) => {
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    jest.spyOn(process[stream], 'write').mockImplementation(() => true),
  );
  await exportCommand()
    .exitOverride()
    .parseAsync(args, { from: 'user' })
    .finally(() => spies.forEach((spy) => spy.mockRestore()));
};

beforeAll(async () => {
  for (const name of Object.keys(models) as Name[]) {
    const run = await startOf(name);
    await run.train();
    runs.set(name, run);
    await exporting(runFolder(name), '--to', 'safetensors', '--out', join(folder, `${name}-out`));
  }
});
afterAll(() => runs.forEach((run) => run.dispose()));

let warnings: string[];
const open = async (path: string, flags: TargetFlags = {}) => {
  warnings = [];
  return openTarget(path, flags, { registry: testRegistry(), warn: (text) => void warnings.push(text) });
};
const logits = (model: Classifier, name: Name) => {
  const { images } = takeExamples(runs.get(name)!.parts.data.test, [0, 1, 2, 3, 4, 5]);
  return [...tf.tidy(() => logitsOf(model, images).dataSync())];
};

describe('an exported model', () => {
  it.each(Object.keys(models) as Name[])('of %s computes the same logits without being told anything', async (name) => {
    const target = await open(file(name));
    expect(logits(target.model, name)).toEqual(logits(runs.get(name)!.parts.model, name));
    expect(target.config).toMatchObject({ model: models[name], threat: { norm: 'l2', epsilon: 0.25 } });
    expect(target.data.name).toBe('fashion-mnist-mini');
    expect(warnings.join()).toMatch(/taken from .*model\.safetensors: model: .*data fashion-mnist-mini; threat l2/);
    target.model.dispose();
  });

  it.each([
    ['small-cnn', 'model: normalize {"mean":[0.2860406],"std":[0.3530242]}, width 2'],
    ['preact-resnet18', 'model: width 2, blocks [1,1], shortcut raw'],
  ] as const)('of %s lends its options to a bare name, and says so', async (name, said) => {
    const target = await open(file(name), { model: name, data: 'fashion-mnist-mini', epsilon: '0.1' });
    expect(logits(target.model, name)).toEqual(logits(runs.get(name)!.parts.model, name));
    expect(warnings).toEqual([`taken from ${file(name)}: ${said}`]);
    expect(target.config.threat.epsilon).toBe(0.1);
    target.model.dispose();
  });

  it.each([
    [
      'small-cnn',
      'small-cnn:width=2:normalize={mean: [0.5], std: [0.25]}',
      /normalize is .*0\.286.* in the file, .*0\.5/,
    ],
    ['preact-resnet18', 'preact-resnet18:shortcut=activated', /shortcut is raw in the file, activated in the model/],
  ] as const)('of %s is refused where options that are written contradict it', async (name, model, message) => {
    await expect(open(file(name), { model })).rejects.toMatchObject({
      code: 'WEIGHTS_INVALID',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/set model\.(normalize: \{ mean: \[0\.286|shortcut: raw)/),
    });
  });

  it.each([
    ['small-cnn', { normalize: undefined }, /normalize is .* in the file, nothing in the model/],
    ['preact-resnet18', { shortcut: undefined }, /shortcut is raw in the file, activated in the model/],
  ] as const)(
    'of %s is refused by `weights:` of a config that computes something else',
    async (name, over, message) => {
      const start = startOf(name, { ...models[name], ...over, weights: file(name) }, `${name}-from-file`);
      await expect(start).rejects.toMatchObject({ code: 'WEIGHTS_INVALID', message: expect.stringMatching(message) });
    },
  );

  it('tells each framework what to do with images', async () => {
    const card = async (name: Name, to: string) => {
      const out = join(folder, `card-${name}-${to}`);
      await exporting(runFolder(name), '--to', to, '--out', out);
      return readFileSync(join(out, 'MODEL_CARD.md'), 'utf8');
    };
    expect(await card('small-cnn', 'safetensors')).toMatch(
      /PyTorch\.\*\* .*The file has no normalisation.*[^]*Sequential\(torchvision\.transforms\.Normalize\(mean=\[0\.2860406\], std=\[0\.3530242\]\), net\)/,
    );
    expect(await card('small-cnn', 'tfjs')).toMatch(/TensorFlow\.js\.\*\* .*Normalise nothing: the model does/);
    expect(await card('preact-resnet18', 'safetensors')).toMatch(/PyTorch\.\*\* .*Normalise nothing\. .*"raw"/);
  });

  it('carries its facts as a layers model, too', async () => {
    const out = join(folder, 'layers');
    await exporting(runFolder('small-cnn'), '--to', 'tfjs', '--out', out);
    const { userDefinedMetadata } = JSON.parse(readFileSync(join(out, 'model.json'), 'utf8')) as {
      userDefinedMetadata: Record<string, string>;
    };
    expect(JSON.parse(userDefinedMetadata['bulwark.model']!)).toMatchObject({ normalize, data: 'fashion-mnist-mini' });
    expect((await readLayersModel(join(out, 'model.json'))).inputs).toHaveLength(1);
  });
});

describe('a layers model', () => {
  const exported = join(folder, 'as-layers');
  beforeAll(() => exporting(runFolder('small-cnn'), '--to', 'tfjs', '--out', exported));

  it('of ours is evaluated without being told anything, as a folder and as a file', async () => {
    for (const path of [exported, join(exported, 'model.json')]) {
      const target = await open(path);
      expect(target.config).toMatchObject({ model: { use: 'layers-model' }, threat: { norm: 'l2', epsilon: 0.25 } });
      expect(target.data.name).toBe('fashion-mnist-mini');
      const [found, expected] = [target.model, runs.get('small-cnn')!.parts.model].map((m) => logits(m, 'small-cnn'));
      expected!.forEach((each, i) => expect(found![i]).toBeCloseTo(each, 4));
      target.model.dispose();
    }
  });

  it('of another tool needs its data and the threat, and is no run', async () => {
    const bare = join(folder, 'bare-layers');
    mkdirSync(bare);
    for (const name of readdirSync(exported)) copyFileSync(join(exported, name), join(bare, name));
    const { userDefinedMetadata: _, ...json } = JSON.parse(readFileSync(join(bare, 'model.json'), 'utf8')) as object & {
      userDefinedMetadata: unknown;
    };
    writeFileSync(join(bare, 'model.json'), JSON.stringify(json));
    await expect(open(bare)).rejects.toThrow(/--data, --epsilon are missing/);
    await expect(open(bare, { model: 'mlp' })).rejects.toThrow(/--model: .* is a layers model/);
    const target = await open(bare, { data: 'fashion-mnist-mini', epsilon: '0.1' });
    expect(target.what).toBe(join(bare, 'model.json'));
    target.model.dispose();
    await expect(open(folder, { data: 'mnist' })).rejects.toThrow(/is not a run folder/);
  });
});

describe('flags that do not apply are refused, not ignored', () => {
  it.each([
    ['--data of a run', 'run', { data: 'mnist' }, /--data: .* is a run/],
    ['--model and --config of a run', 'run', { model: 'mlp', config: 'x.yaml' }, /--config, --model: .* is a run/],
    ['--checkpoint of a weights file', 'file', { checkpoint: 'best' }, /only runs have several checkpoints/],
    ['--model beside --config', 'file', { config: 'x.yaml', model: 'mlp' }, /--config names them already/],
    [
      '--norm of a run without its radius',
      'run',
      { norm: 'linf' },
      /--norm linf without --epsilon: .*0\.25 is one in l2/,
    ],
    ['--norm of a weights file, too', 'file', { norm: 'l1' }, /--norm l1 without --epsilon: .*0\.25 is one in l2/],
  ] as const)('%s', async (_, kind, flags, message) => {
    const path = kind === 'run' ? runFolder('small-cnn') : file('small-cnn');
    await expect(open(path, flags)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
  });

  it('--epsilon of an export whose model was trained for another radius', async () => {
    for (const path of [runFolder('small-cnn'), file('small-cnn')])
      await expect(exporting(path, '--to', 'tfjs', '--epsilon', '0.5')).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringMatching(/trained for l2, epsilon 0\.25/),
      });
  });

  it('weights that do not say what they are need to be told', async () => {
    const path = join(folder, 'bare.safetensors');
    const { tensors } = readSafetensors(encodeWeights(runs.get('small-cnn')!.parts.model));
    writeFileSync(path, writeSafetensors(tensors));
    await expect(open(path, { model: 'small-cnn' })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/--data, --epsilon are missing/),
    });
  });
});

describe('a checkpoint', () => {
  it('refuses a model with other options, although every tensor fits', async () => {
    const snapshot = openRunFolder(runFolder('small-cnn')).checkpoints.load('last');
    expect(snapshot.facts).toMatchObject({ normalize, architecture: { use: 'small-cnn', width: 2 } });
    const target = await open(file('small-cnn'));
    restoreModel(snapshot, target.model);
    const other = { ...snapshot, facts: { ...snapshot.facts!, normalize: null } };
    expect(() => restoreModel(other, target.model)).toThrow(/normalize null; this model has .*0\.286/);
    target.model.dispose();
  });
});
