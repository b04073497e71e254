import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { countOf, resumeRun, startRun, useEngine } from '@bulwark/core';
import { openRunFolder } from '@bulwark/core/run';
import { writeNpz } from '@bulwark/datasets';
import { openTarget } from '../evaluate/open-target.js';
import { temporaryFolder, testRegistry } from './testing.js';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a project's images; their number says whose they are. */
function writeData(project: string, count: number): void {
  mkdirSync(at(project, 'images'), { recursive: true });
  const image = { shape: [count, 6, 6, 1], data: Uint8Array.from({ length: count * 36 }, (_, i) => (i * 37) % 256) };
  const label = { shape: [count], data: Int32Array.from({ length: count }, (_, i) => i % 2) };
  writeFileSync(at(project, 'images', 'all.npz'), writeNpz({ image, label }));
}

const imagesOf = async (run: string): Promise<number> => {
  const { model, data } = await openTarget(run, {}, { registry: testRegistry(), warn: () => undefined });
  model.dispose();
  return countOf(data.test);
};

beforeAll(async () => {
  await useEngine('wasm');
  writeData('first', 8);
  const set = join('images', 'all.npz');
  const handle = await startRun(
    {
      name: 'x',
      engine: 'wasm',
      epochs: 1,
      data: { use: 'npz', classes: 2, train: set, test: set, validation: 0, batchSize: 4 },
      model: { use: 'mlp', width: 4 },
      threat: { epsilon: 0.1 },
      objective: 'natural',
      evaluation: { attacks: [] },
    },
    { registry: testRegistry(), baseFolder: at('first'), folder: () => at('first', 'runs', 'x') },
  );
  await handle.train();
  handle.dispose();
});

describe('a run in another place', () => {
  it('with its whole project has the data of the project where it is now', async () => {
    renameSync(at('first'), at('moved'));
    expect(await imagesOf(at('moved', 'runs', 'x'))).toBe(8);
    expect(openRunFolder(at('moved', 'runs', 'x')).frozen.baseFolder).toBe(at('moved'));
  });

  it('as a copy of the project uses the data of the copy, also while the first project is still there', async () => {
    cpSync(at('moved'), at('copy'), { recursive: true });
    cpSync(at('moved'), at('first'), { recursive: true });
    writeData('first', 6);
    writeData('copy', 10);
    expect(await imagesOf(at('copy', 'runs', 'x'))).toBe(10);
    expect(await imagesOf(at('first', 'runs', 'x'))).toBe(6);
  });

  it('alone uses the data where it was trained', async () => {
    cpSync(at('first', 'runs', 'x'), at('elsewhere', 'backups', 'x'), { recursive: true });
    expect(await imagesOf(at('elsewhere', 'backups', 'x'))).toBe(6);
  });

  it('goes on there', async () => {
    const handle = await resumeRun(at('moved', 'runs', 'x'), { registry: testRegistry() });
    expect((await handle.train()).summary).toMatchObject({ images: 8 });
    handle.dispose();
  });
});
