import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createRandom, startRun } from '@bulwark/core';
import { readNpz, writeIdx, writeNpy } from '@bulwark/datasets';
import { builtinRegistry } from '../registry.js';
import { dataCommand } from './data.js';
import { pseudoLabelCommand } from './pseudo-label.js';

let folder: string;
let printed: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulwark-cli-'));
  printed = '';
  process.env['BULWARK_DATA'] = join(folder, 'data');
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((printed += text)));
});

afterEach(() => {
  jest.restoreAllMocks();
  delete process.env['BULWARK_DATA'];
  rmSync(folder, { recursive: true, force: true });
});

const run = (command: 'data' | 'pseudo-label', ...args: string[]) =>
  (command === 'data' ? dataCommand() : pseudoLabelCommand()).parseAsync(args, { from: 'user' });

/** Writes a data set with the layout of MNIST. */
function writeMnist(): string {
  const random = createRandom(1, 'mnist test');
  for (const [split, count] of [
    ['train', 60],
    ['t10k', 20],
  ] as const) {
    const data = Uint8Array.from({ length: count * 784 }, () => random.integer(256));
    writeFileSync(join(folder, `${split}-images-idx3-ubyte`), writeIdx({ shape: [count, 28, 28], data }));
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
    writeFileSync(join(folder, `${split}-labels-idx1-ubyte`), writeIdx({ shape: [count], data: labels }));
  }
  return folder;
}

describe('bulwark data', () => {
  it('fetches from a folder, then describes what it fetched and draws a sheet', async () => {
    await run('data', 'fetch', 'mnist', '--from', writeMnist());
    expect(printed).toContain(`mnist is in ${join(folder, 'data', 'mnist')}`);
    printed = '';
    const sheet = join(folder, 'sheet.png');
    await run('data', 'info', 'mnist', '--set', 'validation=10', '--sheet', sheet, '--json');
    const info = JSON.parse(printed) as {
      splits: { split: string; count: number; perClass: number[]; mean: number[] }[];
      sheet: string;
    };
    expect(info.splits.map(({ split, count }) => [split, count])).toEqual([
      ['train', 50],
      ['validation', 10],
      ['test', 20],
    ]);
    expect(info.splits[1]!.perClass).toEqual(new Array(10).fill(1));
    expect(info.splits[0]!.mean[0]).toBeGreaterThan(0.4);
    expect(readFileSync(info.sheet).subarray(1, 4).toString()).toBe('PNG');
  });

  it('names the command that gets a missing set', async () => {
    await expect(run('data', 'info', 'cifar10', '--no-sheet')).rejects.toMatchObject({
      code: 'DATA_MISSING',
      hint: expect.stringContaining('bulwark data fetch cifar10'),
    });
  });

  it('refuses an unknown option of a data source by name', async () => {
    await expect(run('data', 'info', 'mnist', '--set', 'valdation=0')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      hint: 'did you mean validation?',
    });
  });
});

describe('bulwark pseudo-label', () => {
  it('labels images with a trained run, keeping the most confident of each class', async () => {
    const config = {
      name: 'tiny',
      engine: 'wasm',
      epochs: 1,
      data: { use: 'fashion-mnist-mini', limit: { train: 64, test: 10 }, validation: 0, batchSize: 32 },
      model: { use: 'mlp' },
      threat: { epsilon: 0.1 },
      objective: { use: 'natural' },
      evaluation: { attacks: [] },
    };
    const model = join(folder, 'run');
    const handle = await startRun(config, { registry: builtinRegistry(), baseFolder: folder, folder: () => model });
    await handle.train();
    handle.dispose();
    const random = createRandom(2, 'unlabelled');
    const data = Uint8Array.from({ length: 300 * 784 }, () => random.integer(256));
    const images = join(folder, 'images.npy');
    writeFileSync(images, writeNpy({ shape: [300, 28, 28], data }));
    const out = join(folder, 'pseudo.npz');
    const label = (...more: string[]) => run('pseudo-label', '--model', model, '--data', images, '--out', out, ...more);

    await label('--json');
    expect(JSON.parse(printed)).toMatchObject({ images: 300, kept: 300 });
    const all = readNpz(readFileSync(out), out);
    expect(all.get('image')!.shape).toEqual([300, 28, 28, 1]);
    const confidence = Array.from(all.get('confidence')!.data, Number);
    expect(Math.min(...confidence)).toBeGreaterThanOrEqual(0.1);

    await label('--per-class', '2', '--batch', '7');
    const few = readNpz(readFileSync(out), out);
    const kept = Array.from(few.get('index')!.data, Number);
    const labels = Array.from(all.get('label')!.data, Number);
    const best = [...new Set(labels)].flatMap((k) =>
      [...labels.keys()]
        .filter((i) => labels[i] === k)
        .sort((a, b) => confidence[b]! - confidence[a]! || a - b)
        .slice(0, 2),
    );
    expect(kept).toEqual(best.sort((a, b) => a - b));
    expect(Array.from(few.get('label')!.data, Number)).toEqual(kept.map((i) => labels[i]));
  });

  it('refuses numbers out of range before it opens anything', async () => {
    const label = (...more: string[]) =>
      run('pseudo-label', '--model', 'none', '--data', 'none.npz', '--out', join(folder, 'x.npz'), ...more);
    await expect(label('--threshold', '2')).rejects.toThrow('--threshold is 2');
    await expect(label('--per-class', '0')).rejects.toThrow('--per-class is 0');
    await expect(label()).rejects.toMatchObject({ code: 'RUN_MISSING' });
    expect(existsSync(join(folder, 'x.npz'))).toBe(false);
  });
});
