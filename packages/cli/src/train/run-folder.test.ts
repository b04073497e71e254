import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { PNG } from 'pngjs';
import { BulwarkError, resumeRun, useEngine } from '@bulwark/core';
import { lockRunFolder } from '@bulwark/core/run';
import { startTiny, temporaryFolder, testRegistry } from './testing.js';

beforeAll(() => useEngine('wasm'));

const resume = (path: string) => resumeRun(path, { registry: testRegistry() });
const lockOf = (folder: string) => join(folder, 'run.lock');

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'nothing was thrown';
  } catch (error) {
    return error instanceof BulwarkError ? error.code : String(error);
  }
};

describe('the lock of a run folder', () => {
  it('keeps a second one out until it is released', () => {
    const folder = temporaryFolder();
    const lock = lockRunFolder(folder);
    expect(codeOf(() => lockRunFolder(folder))).toBe('RUN_LOCKED');
    expect(() => lockRunFolder(folder)).toThrow(`process ${process.pid} is working in ${folder}`);
    lock.release();
    expect(existsSync(lockOf(folder))).toBe(false);
    lockRunFolder(folder).release();
  });

  it('of another machine is respected: its processes cannot be seen from here', () => {
    const folder = temporaryFolder();
    writeFileSync(lockOf(folder), JSON.stringify({ pid: 1, host: `not-${hostname()}` }));
    expect(() => lockRunFolder(folder)).toThrow(`on not-${hostname()}`);
  });
});

describe('a run folder', () => {
  it('is locked while its run lives, and free afterwards', async () => {
    const run = await startTiny();
    await expect(resume(run.folder.path)).rejects.toMatchObject({ code: 'RUN_LOCKED' });
    run.dispose();
    (await resume(run.folder.path)).dispose();
  });

  it('that holds a run is not written over', async () => {
    const run = await startTiny();
    run.dispose();
    await expect(startTiny({}, run.folder.path)).rejects.toMatchObject({ code: 'RUN_EXISTS' });
    expect(existsSync(lockOf(run.folder.path))).toBe(false);
  });

  it('that cannot be made is said so, with the hint', async () => {
    const folder = join(temporaryFolder(), 'file');
    writeFileSync(folder, 'not a folder');
    await expect(startTiny({}, join(folder, 'run'))).rejects.toMatchObject({
      code: 'RUN_WRITE',
      message: expect.stringContaining(folder) as unknown,
    });
  });

  it('that turns read-only in mid-run stops it clearly', async () => {
    const run = await startTiny();
    const checkpoints = join(run.folder.path, 'checkpoints');
    // root may write into read-only folders, so the folder is replaced by a file
    run.bus.on('step', () => {
      rmSync(checkpoints, { recursive: true, force: true });
      writeFileSync(checkpoints, '');
    });
    await expect(run.train()).rejects.toMatchObject({ code: 'RUN_WRITE' });
    run.dispose();
    rmSync(checkpoints);
    mkdirSync(checkpoints);
    const resumed = await resume(run.folder.path);
    expect((await resumed.train()).reason).toBe('finished');
    resumed.dispose();
  });

  it('whose data set was deleted or changed says so, and goes on once it is back', async () => {
    const folder = temporaryFolder();
    const images = join(folder, 'images');
    writeImages(images, 50);
    const data = { use: 'image-folder', folder: images, channels: 1, validation: 2, batchSize: 4 };
    const run = await startTiny({ data, model: { use: 'mlp', width: 4 } }, join(folder, 'run'));
    run.bus.on('step', () => rmSync(images, { recursive: true, force: true }));
    const controller = new AbortController();
    run.bus.on('epoch:end', () => controller.abort());
    expect((await run.train(controller.signal)).reason).toBe('interrupted');
    run.dispose();
    await expect(resume(run.folder.path)).rejects.toMatchObject({ code: 'DATA_MISSING' });
    writeImages(images, 51);
    await expect(resume(run.folder.path)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    writeImages(images, 50);
    const resumed = await resume(run.folder.path);
    expect((await resumed.train()).reason).toBe('finished');
    resumed.dispose();
  });
});

/** Six training and two test images of each of two classes. */
function writeImages(folder: string, brightness: number): void {
  const png = new PNG({ width: 6, height: 6 });
  for (const [split, count] of [
    ['train', 6],
    ['test', 2],
  ] as const)
    for (const [label, name] of ['dark', 'light'].entries()) {
      mkdirSync(join(folder, split, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        png.data.fill(brightness + 100 * label + i);
        writeFileSync(join(folder, split, name, `${i}.png`), PNG.sync.write(png));
      }
    }
}
