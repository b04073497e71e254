import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BulwarkError } from '../../errors.js';
import { fetchPackage } from './fetch-package.js';
import type { Build } from './build.js';
import { buildCache } from './build-cache.js';
import { withLock } from './lock.js';
import { requireSpace } from './requirements.js';

interface Toy extends Build {
  readonly name: string;
}
const builds = buildCache<Toy>({
  engine: 'toy',
  whyUseless: ({ folder }) => (existsSync(join(folder, 'part')) ? undefined : 'its part is gone'),
});
const fill = (name: string, keep = false): Promise<Toy> =>
  builds.fill('slot', {
    keep: async () => keep,
    async make(folder) {
      writeFileSync(join(folder, 'part'), 'abc');
      return { name };
    },
  });

const environment = { ...process.env };
let cache = '';
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'bulwark-install-'));
  process.env['BULWARK_CACHE'] = cache;
});
afterEach(() => {
  process.env = { ...environment };
  rmSync(cache, { recursive: true, force: true });
});

const failure = (message: RegExp) =>
  expect.objectContaining({ code: 'ENGINE_INSTALL', message: expect.stringMatching(message) });

describe('the cache of builds', () => {
  it('has what was built, with its size', async () => {
    expect(builds.read('slot')).toEqual({ reason: 'nothing installed for slot' });
    const toy = await fill('first');
    expect(toy).toMatchObject({ name: 'first', bytes: 3 });
    expect(builds.read('slot')).toEqual(toy);
    expect(builds.slots()).toEqual(['slot']);
  });

  it('keeps a build that works, and builds nothing', async () => {
    const toy = await fill('first');
    expect(await fill('second', true)).toEqual(toy);
  });

  it('replaces a build in one step and frees the old one', async () => {
    const old = await fill('first');
    const next = await fill('second');
    expect(builds.read('slot')).toEqual(next);
    expect(existsSync(old.folder)).toBe(false);
  });

  it('keeps the build before when one over it fails, and leaves nothing behind', async () => {
    const toy = await fill('first');
    const failing = builds.fill('slot', {
      keep: async () => false,
      make: async () => Promise.reject(new Error('no luck')),
    });
    await expect(failing).rejects.toThrow('no luck');
    expect(builds.read('slot')).toEqual(toy);
    expect(readdirSync(builds.folder()).filter((name) => name.startsWith('build-'))).toHaveLength(1);
    expect(readdirSync(builds.folder())).not.toContain('lock');
  });

  it.each<[string, Error, RegExp]>([
    ['full', Object.assign(new Error('write'), { code: 'ENOSPC' }), /^the disk of .*toy is full$/],
    [
      'full, in a compiler’s words',
      new BulwarkError('ENGINE_INSTALL', 'c++ failed:\nfatal error: No space left on device', { hint: 'take another' }),
      /^the disk of .*toy or of .* is full: c\+\+ failed/,
    ],
    [
      'read-only, in Node’s words',
      Object.assign(new Error('ENOENT: mkdir'), { code: 'ENOENT', syscall: 'mkdir' }),
      /toy cannot be written to: ENOENT: mkdir$/,
    ],
    ['read-only', Object.assign(new Error('EROFS: open'), { code: 'EROFS' }), /toy cannot be written to: EROFS: open$/],
  ])('says that the disk is %s, and where', async (_what, error, message) => {
    const failing = builds.fill('slot', { keep: async () => false, make: async () => Promise.reject(error) });
    await expect(failing).rejects.toEqual(failure(message));
  });

  it('needs no writable folder for a build that may stay, and says so where there is none to keep', async () => {
    const toy = await fill('first');
    mkdirSync(join(builds.folder(), 'lock')); // no lock can be had
    expect(await fill('second', true)).toEqual(toy);
    await expect(fill('second')).rejects.toEqual(failure(/toy cannot be written to: EISDIR/));
    writeFileSync(join(cache, 'file'), '');
    process.env['BULWARK_CACHE'] = join(cache, 'file');
    expect(builds.slots()).toEqual([]);
    await expect(fill('second', true)).rejects.toEqual(failure(/toy cannot be written to: ENOTDIR/));
    await expect(builds.clear()).rejects.toEqual(failure(/toy cannot be written to: ENOTDIR/));
  });

  it('sweeps what interrupted installs left, and nothing else', async () => {
    const toy = await fill('first');
    mkdirSync(join(builds.folder(), 'build-half'));
    await fill('second');
    expect(existsSync(join(builds.folder(), 'build-half'))).toBe(false);
    expect(existsSync(toy.folder)).toBe(false);
  });

  it('says what is wrong with a slot, and how to repair it', async () => {
    const toy = await fill('first');
    const reason = () => (builds.read('slot') as { reason: string }).reason;
    rmSync(join(toy.folder, 'part'));
    expect(reason()).toBe('its part is gone: run `bulwark engine install toy --force`');
    rmSync(toy.folder, { recursive: true });
    expect(reason()).toMatch(/^the build in .* is gone: run/);
    const note = { folder: 'build-x', bytes: 1, installed: 'today' };
    const damaged = [
      '{"folder":',
      'null',
      '[]',
      '""',
      ...Object.keys(note).map((key) => JSON.stringify({ ...note, [key]: {} })),
    ];
    for (const text of [...damaged, JSON.stringify({ ...note, folder: '..' })]) {
      writeFileSync(join(builds.folder(), 'slot.json'), text);
      expect(reason()).toMatch(/slot\.json is damaged: run `bulwark engine install toy --force`/);
    }
    expect(await fill('second', true)).toMatchObject({ name: 'second' });
  });

  it('is empty after it was cleared', async () => {
    await fill('first');
    await builds.clear();
    expect(readdirSync(builds.folder())).toEqual([]);
  });
});

describe('the install lock', () => {
  it('refuses a second install while one runs, and names the process', async () => {
    const lock = join(cache, 'lock');
    await withLock(lock, 'toy', async () => {
      await expect(withLock(lock, 'toy', async () => 'second')).rejects.toThrow(
        new RegExp(`another install of the toy engine is running \\(process ${process.pid}\\)`),
      );
    });
    expect(await withLock(lock, 'toy', async () => 'after')).toBe('after');
  });

  it('takes over the lock of a process that is gone', async () => {
    const lock = join(cache, 'lock');
    writeFileSync(lock, '999999999');
    expect(await withLock(lock, 'toy', async () => 'mine')).toBe('mine');
  });
});

describe('requirements', () => {
  it('take the npm package that is known, and no other', async () => {
    const source = join(cache, 'source');
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, 'package.json'), JSON.stringify({ name: 'small', version: '1.0.0' }));
    const packed = spawnSync('npm', ['pack', source, '--pack-destination', cache, '--json'], { encoding: 'utf8' });
    const [{ integrity }] = JSON.parse(packed.stdout) as [{ integrity: string }];
    await fetchPackage({ spec: source, integrity }, join(cache, 'known'));
    expect(existsSync(join(cache, 'known/package.json'))).toBe(true);

    const other = { spec: source, integrity: `sha512-${'A'.repeat(86)}==` };
    await expect(fetchPackage(other, join(cache, 'other'))).rejects.toMatchObject({
      code: 'ENGINE_INSTALL',
      message: expect.stringContaining(integrity) as unknown,
    });
    expect(existsSync(join(cache, 'other'))).toBe(false);
    expect(existsSync(join(cache, 'other-download'))).toBe(false);
  });
  it('refuse a disk without room', async () => {
    await expect(requireSpace(cache, 1e18)).rejects.toEqual(failure(/MB free; the install needs/));
  });
});
