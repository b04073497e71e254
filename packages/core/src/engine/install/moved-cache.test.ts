import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Build } from './build.js';
import { buildCache } from './build-cache.js';

interface Toy extends Build {
  /** A library of its own. */
  readonly inside: string;
  /** One of the user's. */
  readonly outside: string;
}
const builds = buildCache<Toy>({
  engine: 'toy',
  paths: ['inside', 'outside'],
  whyUseless: (build) => ['inside', 'outside'].map((key) => build[key as 'inside']).find((path) => !existsSync(path)),
});

// a name that a shell, a linker or a regular expression could take apart
const names = ['home', 'a home, of Zoë’s $x'];
const environment = { ...process.env };
let place = '';
const home = (name: string) => join(place, name);
const useCacheIn = (name: string) => (process.env['BULWARK_CACHE'] = join(home(name), '.cache'));
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'bulwark-moved-'));
});
afterEach(() => {
  process.env = { ...environment };
  rmSync(place, { recursive: true, force: true });
});

/** A home folder with a build in its cache, which uses what is in an environment there. */
function build(name: string): Promise<Toy> {
  useCacheIn(name);
  const outside = join(home(name), 'env', 'lib');
  mkdirSync(outside, { recursive: true });
  return builds.fill('slot', {
    keep: async () => false,
    async make(folder) {
      const inside = join(folder, 'lib');
      mkdirSync(inside);
      return { inside, outside };
    },
  });
}

describe.each([names, [...names].reverse()])('a cache that moves from %j to %j', (from, to) => {
  it('serves where what it uses has moved along', async () => {
    const before = await build(from);
    renameSync(home(from), home(to));
    useCacheIn(to);
    const now = builds.read('slot') as Toy;
    for (const path of ['folder', 'inside', 'outside'] as const)
      expect(relative(home(to), now[path])).toBe(relative(home(from), before[path]));
  });

  it('serves with what stayed where it was, and names that when it is gone', async () => {
    const { outside } = await build(from);
    cpSync(join(home(from), '.cache'), join(home(to), '.cache'), { recursive: true });
    useCacheIn(to);
    expect(builds.read('slot')).toMatchObject({ outside });
    rmSync(outside, { recursive: true });
    expect(builds.read('slot')).toEqual({ reason: `${outside}: run \`bulwark engine install toy --force\`` });
  });

  it('leaves the one that it was copied from whole, whatever is done to it', async () => {
    const original = await build(from);
    cpSync(home(from), home(to), { recursive: true });
    await build(to);
    await builds.clear();
    useCacheIn(from);
    expect(builds.read('slot')).toEqual(original);
  });
});

it('a cache that is named by a relative path is where that path leads to from here', async () => {
  process.env['BULWARK_CACHE'] = relative(process.cwd(), place);
  expect(builds.folder()).toBe(join(place, 'engines', 'toy'));
  mkdirSync(join(place, 'engines'));
  writeFileSync(join(place, 'engines', 'toy'), ''); // nothing can lie below a file
  expect(builds.slots()).toEqual([]);
});
