import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { useEngine, type Plugin } from '@bulwark/core';
import { checkRun } from '@bulwark/core/run';
import { contractOf } from '@bulwark/core/testing';
import { builtinRegistry } from '@bulwark/cli';
import { parse } from 'yaml';
import { run } from './index.js';

// within the repository, so that its packages are found
mkdirSync(resolve('runs'), { recursive: true });
const root = mkdtempSync(resolve('runs/create-'));
afterAll(() => rmSync(root, { recursive: true }));

const quietly = (...args: string[]) => {
  let text = '';
  const spies = (['log', 'error'] as const).map((name) =>
    jest.spyOn(console, name).mockImplementation((line) => void (text += `${String(line)}\n`)),
  );
  const code = run(args);
  spies.forEach((spy) => spy.mockRestore());
  return { code, text };
};

describe('npm create bulwark', () => {
  it('writes a project whose config fits and whose objective keeps its promises', async () => {
    const folder = join(root, 'My Project');
    const { code, text } = quietly(folder);
    expect(code).toBe(0);
    expect(text).toMatch(/npm install\n {2}npm test\n {2}npm run train/);
    const read = (name: string) => readFileSync(join(folder, name), 'utf8');
    const { version } = JSON.parse(readFileSync('packages/cli/package.json', 'utf8')) as { version: string };
    expect(JSON.parse(read('package.json'))).toMatchObject({
      name: 'my-project',
      dependencies: { '@bulwark/cli': `^${version}` },
    });

    await useEngine('wasm');
    const importModule = (url: string) => import(url) as Promise<Record<string, unknown>>;
    const { config, registry } = await checkRun(parse(read('bulwark.yaml')), {
      registry: builtinRegistry(),
      baseFolder: folder,
      importModule,
    });
    expect(config.objective).toMatchObject({ use: 'logit-pairing', beta: 0.5 });
    const plugin = registry.find('objective', 'logit-pairing') as unknown as Plugin<'objective'>;
    for (const { run: check } of contractOf(plugin, { plugins: builtinRegistry().list() as Plugin[] })) await check();
  });

  it.each([
    ['a folder with something in it', 'full', /exists and is not empty/],
    ['a file', 'file', /is a file/],
    ['two folders', 'a b', /is not the name of one folder/],
    ['an unknown flag', '--fast', /is not the name of one folder/],
  ])('refuses %s and writes nothing', (_what, given, message) => {
    mkdirSync(join(root, 'full'), { recursive: true });
    writeFileSync(join(root, 'full', 'x'), '');
    writeFileSync(join(root, 'file'), '');
    const { code, text } = quietly(...given.split(' ').map((word) => (word.startsWith('-') ? word : join(root, word))));
    expect(code).toBe(2);
    expect(text).toMatch(message);
    expect(existsSync(join(root, 'a'))).toBe(false);
  });
});
