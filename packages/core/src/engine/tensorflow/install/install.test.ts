import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commitSlot, engineFolder, installedPackages, listInstalled, packageFolder, sweepLeftovers } from './cache.js';
import type { InstalledEngine } from './cache.js';
import { installTensorflow } from './install.js';
import { withLock } from './lock.js';
import { removeInstalled } from './remove.js';
import { requirePlatform, requireSpace } from './requirements.js';

const environment = { ...process.env };
let cache = '';
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'bulwark-engine-'));
  process.env.BULWARK_CACHE = cache;
});
afterEach(() => {
  process.env = { ...environment };
  rmSync(cache, { recursive: true, force: true });
});

/** A finished build as the cache sees it; its library is an empty file. */
async function finishedBuild(name: string): Promise<InstalledEngine> {
  const folder = join(engineFolder(), `build-${name}`);
  const addons = join(folder, 'package', 'lib', 'napi-v8');
  const libraries = join(folder, 'site', 'tensorflow');
  for (const each of [addons, libraries]) mkdirSync(each, { recursive: true });
  writeFileSync(join(addons, 'tfjs_binding.node'), '');
  const facts = {
    name: '@tensorflow/tfjs-node',
    tensorflow: '2.21.0',
    gpu: false,
    source: 'a test',
    bytes: 0,
  } as const;
  const engine = { ...facts, folder, libraries, installed: new Date(0).toISOString() };
  await commitSlot(engine);
  return engine;
}

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('installing the tensorflow engine refuses, before anything is downloaded,', () => {
  it('a path that does not exist', async () => {
    await expect(installTensorflow({ from: '/no/such/tensorflow' })).rejects.toEqual(
      failure(
        'ENGINE_INSTALL',
        /--from \/no\/such\/tensorflow: no such file or folder; allowed are cdn, pip or a path/,
      ),
    );
  });

  it('a path without TensorFlow in it', async () => {
    await expect(installTensorflow({ from: cache })).rejects.toEqual(
      failure('ENGINE_INSTALL', /no TensorFlow 2\.13 or newer there/),
    );
  });

  it('a machine without a compiler', async () => {
    process.env.CXX = '/no/such/compiler';
    await expect(installTensorflow({ from: 'pip' })).rejects.toEqual(
      failure('ENGINE_INSTALL', /no C\+\+ compiler: tried \/no\/such\/compiler/),
    );
  });

  it('a machine without Python', async () => {
    process.env.BULWARK_PYTHON = '/no/such/python';
    await expect(installTensorflow({ from: 'pip' })).rejects.toEqual(
      failure('ENGINE_INSTALL', /no Python 3\.8 or newer: tried \/no\/such\/python/),
    );
  });

  it('a platform without a linkable library', () => {
    expect(() => requirePlatform('sunos', 'x64')).toThrow(/cannot be built on sunos-x64; it can on linux-x64/);
    expect(() => requirePlatform('linux', 'x64')).not.toThrow();
  });

  it('a disk without room', async () => {
    await expect(requireSpace(cache, 1e18)).rejects.toEqual(failure('ENGINE_INSTALL', /MB free; the install needs/));
  });
});

describe('the engine cache', () => {
  it('keeps the working engine when an install over it fails', async () => {
    const engine = await finishedBuild('good');
    await expect(installTensorflow({ from: cache, force: true })).rejects.toThrow(/no TensorFlow/);
    expect(listInstalled()).toEqual([engine]);
    expect(installedPackages().found).toEqual([{ name: engine.name, folder: packageFolder(engine) }]);
    expect(readdirSync(engineFolder())).not.toContain('lock');
  });

  it('sweeps what interrupted installs left, and nothing else', async () => {
    const engine = await finishedBuild('good');
    mkdirSync(join(engineFolder(), 'build-half'));
    await sweepLeftovers();
    expect(existsSync(join(engineFolder(), 'build-half'))).toBe(false);
    expect(listInstalled()).toEqual([engine]);
  });

  it('replaces an engine in one step and frees the old one', async () => {
    const old = await finishedBuild('old');
    const next = await finishedBuild('next');
    expect(listInstalled()).toEqual([next]);
    expect(existsSync(old.folder)).toBe(false);
  });

  it('says why an engine whose libraries are gone is not used', async () => {
    const engine = await finishedBuild('good');
    rmSync(engine.libraries, { recursive: true });
    expect(listInstalled()).toEqual([]);
    expect(installedPackages().reasons.join()).toMatch(
      /which is gone: run `bulwark engine install tensorflow --force`/,
    );
  });

  it('says that a damaged slot is damaged', async () => {
    await finishedBuild('good');
    const slot = readdirSync(engineFolder()).find((name) => name.endsWith('.json'))!;
    writeFileSync(join(engineFolder(), slot), '{"folder":');
    expect(installedPackages().reasons.join()).toMatch(/is damaged/);
  });

  it('is empty after removal', async () => {
    await finishedBuild('good');
    expect(await removeInstalled()).toHaveLength(1);
    expect(readdirSync(engineFolder())).toEqual([]);
  });
});

describe('the install lock', () => {
  it('refuses a second install while one runs, and names the process', async () => {
    const lock = join(cache, 'lock');
    await withLock(lock, async () => {
      await expect(withLock(lock, async () => 'second')).rejects.toThrow(
        new RegExp(`is running \\(process ${process.pid}\\)`),
      );
    });
    expect(await withLock(lock, async () => 'after')).toBe('after');
  });

  it('takes over the lock of a process that is gone', async () => {
    const lock = join(cache, 'lock');
    writeFileSync(lock, '999999999');
    expect(await withLock(lock, async () => 'mine')).toBe('mine');
  });
});
