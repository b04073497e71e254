import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builds, installedPackages, listInstalled, packageFolder, removeInstalled, slotName } from './cache.js';
import type { InstalledEngine } from './cache.js';
import { installTensorflow } from './install.js';
import { requirePlatform } from './platform.js';

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

/** A finished build as the cache sees it; its library is an empty folder. */
const finishedBuild = (): Promise<InstalledEngine> =>
  builds.fill(slotName(false), {
    keep: async () => false,
    async make(folder) {
      const addons = join(packageFolder({ folder }), 'lib', 'napi-v8');
      const libraries = join(folder, 'site', 'tensorflow');
      for (const each of [addons, libraries]) mkdirSync(each, { recursive: true });
      writeFileSync(join(addons, 'tfjs_binding.node'), '');
      return { name: '@tensorflow/tfjs-node', tensorflow: '2.21.0', gpu: false, source: 'a test', libraries };
    },
  });

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
      failure('ENGINE_INSTALL', /no Python 3\.8 or newer: \/no\/such\/python does not run/),
    );
  });

  it('a platform without a linkable library', () => {
    expect(() => requirePlatform('sunos', 'x64')).toThrow(/cannot be built on sunos-x64; it can on linux-x64/);
    expect(() => requirePlatform('linux', 'x64')).not.toThrow();
  });
});

describe('the cache of the tensorflow engine', () => {
  it('keeps the working engine when an install over it fails', async () => {
    const engine = await finishedBuild();
    await expect(installTensorflow({ from: cache, force: true })).rejects.toThrow(/no TensorFlow/);
    expect(listInstalled()).toEqual([engine]);
    expect(installedPackages().found).toEqual([{ name: engine.name, folder: packageFolder(engine) }]);
  });

  it('says why an engine whose libraries are gone is not used', async () => {
    const engine = await finishedBuild();
    rmSync(engine.libraries, { recursive: true });
    expect(listInstalled()).toEqual([]);
    expect(installedPackages().reasons.join()).toMatch(
      /which is gone \(where it has moved, name it with --from\): run `bulwark engine install tensorflow --force`/,
    );
  });

  it('is empty after removal', async () => {
    await finishedBuild();
    expect(await removeInstalled()).toHaveLength(1);
    expect(listInstalled()).toEqual([]);
  });
});
