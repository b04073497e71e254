import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { FrozenConfig } from '@bulwark/core';
import { digestOf } from '@bulwark/core/files';
import { checkRunFolder, openRunFolder } from '@bulwark/core/run';
import { runCommand } from '../testing.js';
import { pluginPolicy, rememberPlugins, runServices } from './policy.js';
import { trustStore } from './store.js';

const base = mkdtempSync(join(tmpdir(), 'bulwark-trust-'));
const marker = join(base, 'was-run');
const project = join(base, 'project');

/** A plugin that leaves a mark when it is imported, with a helper that it imports by path. */
const plugin = `
import { writeFileSync } from 'node:fs';
import { defineObjective } from '@bulwark/core';
import { weight } from './helper.mjs';
writeFileSync(${JSON.stringify(marker)}, '');
export const marked = defineObjective({
  name: 'marked',
  summary: 'Natural training that leaves a mark.',
  options: {},
  create: () => ({
    inner: { name: 'none', makes: [], craft: () => new Map() },
    passes: [],
    terms: [],
    weight,
  }),
});
`;

const frozen = (plugins: readonly string[], baseFolder = project): FrozenConfig => ({
  config: {
    ...{
      name: 'foreign',
      seed: 1,
      engine: { use: 'wasm' },
      plugins,
      epochs: 1,
      threat: { norm: 'linf', epsilon: 0.1 },
    },
    ...{ data: { use: 'fashion-mnist-mini' }, model: { use: 'mlp' }, objective: { use: 'marked' } },
    ...{ optimizer: { use: 'sgd' }, evaluation: { attacks: [{ use: 'fgsm' }] } },
  } as unknown as FrozenConfig['config'],
  baseFolder,
  versions: {},
  engine: 'wasm',
});

/** A run folder as anyone can make it: the seal is a checksum, no signature. */
function foreignRun(plugins: readonly string[], baseFolder?: string): string {
  const run = mkdtempSync(join(base, 'run-'));
  const content = frozen(plugins, baseFolder);
  writeFileSync(join(run, 'config.json'), JSON.stringify({ ...content, sha256: digestOf(content) }));
  return run;
}

const wasRun = () => existsSync(marker);

const open = (run: string, flags = {}) =>
  checkRunFolder(
    openRunFolder(run),
    runServices(run, flags, () => undefined),
  );

beforeAll(() => {
  mkdirSync(join(project, 'node_modules'), { recursive: true });
  symlinkSync(resolve('node_modules/@bulwark'), join(project, 'node_modules/@bulwark'));
});

beforeEach(() => {
  writeFileSync(join(project, 'marked.mjs'), plugin);
  writeFileSync(join(project, 'helper.mjs'), 'export const weight = 1;\n');
  process.env['BULWARK_CONFIG'] = mkdtempSync(join(base, 'config-'));
  rmSync(marker, { force: true });
});

describe('plugins that a run folder asks for', () => {
  it.each([
    ['a relative path through its base folder', () => foreignRun(['./marked.mjs'])],
    ['a path out of its base folder', () => foreignRun(['../marked.mjs'], join(project, 'node_modules'))],
    ['an absolute path', () => foreignRun([join(project, 'marked.mjs')], '/')],
    ['a package beside the base folder', () => foreignRun(['evil'], packaged())],
  ])('are not run, whoever asks for them how: %s', async (_name, make) => {
    await expect(open(make())).rejects.toMatchObject({
      code: 'PLUGIN_UNTRUSTED',
      message: expect.stringContaining(join(project, '')) as unknown,
      hint: expect.stringContaining('bulwark trust') as unknown,
    });
    expect(wasRun()).toBe(false);
  });

  it.each([
    `data:text/javascript,import('node:fs').then((fs) => fs.writeFileSync(${JSON.stringify(marker)}, ''))`,
    'file:///etc/passwd',
    'https://example.org/plugin.mjs',
    'node:child_process',
    'blob:nodedata:1',
  ])('are never an address: %s', async (specifier) => {
    const run = foreignRun([specifier]);
    await expect(open(run)).rejects.toThrow('is an address, which is never loaded');
    expect(bulwark('trust', run)).toMatchObject({ status: 1 });
    await expect(open(run)).rejects.toThrow('is an address, which is never loaded');
    expect(wasRun()).toBe(false);
  });

  it('are run if the caller names them, and those alone', async () => {
    const run = foreignRun(['data:text/javascript,throw 1', './missing.mjs']);
    const { registry } = await open(run, { plugins: [join(project, 'marked.mjs')] });
    expect(registry.find('objective', 'marked').name).toBe('marked');
    expect(wasRun()).toBe(true);
  });

  it('are run if the config of the working folder names them, unless that lies in the run itself', () => {
    const run = foreignRun(['./marked.mjs']);
    const { mayLoad } = pluginPolicy(run, {});
    const wanted = { specifier: './marked.mjs', file: join(project, 'marked.mjs') };
    expect(mayLoad!(wanted)).toBe(false);
    const before = process.cwd();
    try {
      writeFileSync(join(project, 'bulwark.yaml'), 'plugins: [./marked.mjs]\n');
      process.chdir(project);
      expect(pluginPolicy(run, {}).mayLoad!(wanted)).toBe(true);
      expect(pluginPolicy(project, {}).mayLoad!(wanted)).toBe(false);
    } finally {
      process.chdir(before);
      rmSync(join(project, 'bulwark.yaml'));
    }
  });

  it('are run once they are trusted, until their code changes, or that of a file which they name', async () => {
    const run = foreignRun(['./marked.mjs']);
    const trusted = bulwark('trust', run, '--json');
    expect(JSON.parse(trusted.stdout)).toMatchObject({
      plugins: [{ files: [join(project, 'marked.mjs'), join(project, 'helper.mjs')] }],
    });
    expect(wasRun()).toBe(false);
    const allowed = () => pluginPolicy(run, {}).mayLoad!({ specifier: '', file: join(project, 'marked.mjs') });
    expect(allowed()).toBe(true);
    writeFileSync(join(project, 'helper.mjs'), 'export const weight = 2;\n');
    expect(allowed()).toBe(false);
    writeFileSync(join(project, 'helper.mjs'), 'export const weight = 1;\n');
    expect(allowed()).toBe(true);
    writeFileSync(join(project, 'marked.mjs'), `${plugin}\n// changed\n`);
    expect(allowed()).toBe(false);
    writeFileSync(join(project, 'marked.mjs'), plugin);
    expect(bulwark('trust', run, '--withdraw').stdout).toContain('1 entries removed');
    expect(allowed()).toBe(false);
  });

  it('are trusted in their place only: what they import by name depends on it', () => {
    bulwark('trust', foreignRun(['./marked.mjs']));
    const elsewhere = mkdtempSync(join(base, 'copy-'));
    cpSync(project, elsewhere, { recursive: true });
    const { mayLoad } = pluginPolicy(foreignRun([]), {});
    expect(mayLoad!({ specifier: '', file: join(project, 'marked.mjs') })).toBe(true);
    expect(mayLoad!({ specifier: '', file: join(elsewhere, 'marked.mjs') })).toBe(false);
  });

  it('of a run that the user has trained are remembered', () => {
    rememberPlugins(['./marked.mjs'], project, (text) => expect(text).toBe('nothing'));
    expect(JSON.parse(readFileSync(trustStore().file, 'utf8'))).toMatchObject({ version: 1, trusted: [{}] });
    expect(pluginPolicy(foreignRun([]), {}).mayLoad!({ specifier: '', file: join(project, 'marked.mjs') })).toBe(true);
  });
});

describe('every command that opens a run', () => {
  it.each([
    ['evaluate', (run: string) => ['evaluate', run]],
    ['export', (run: string) => ['export', run, '--to', 'tfjs']],
    ['train --resume', (run: string) => ['train', '--resume', run]],
    [
      'pseudo-label',
      (run: string) => ['pseudo-label', '--model', run, '--data', 'mnist', '--out', join(base, 'x.npz')],
    ],
    ['report', (run: string) => ['report', run]],
    ['analyze', (run: string) => ['analyze', 'landscape', run, '--out', join(base, 'figure')]],
  ])('asks before it runs code of the folder: %s', (_name, command) => {
    const run = trainedRun();
    const { status, stderr } = bulwark(...command(run));
    expect(stderr).toContain('asks for plugins, which are programs, and nothing says that you trust them');
    expect(stderr).toContain(`bulwark trust ${run}`);
    expect(status).toBe(command(run)[0] === 'report' ? 0 : 1);
    expect(wasRun()).toBe(false);
  });
});

const bulwark = (...args: string[]) => runCommand(args, { cwd: base });

/** A run with checkpoints, whose config asks for the plugin. */
function trainedRun(): string {
  const run = join(base, 'trained');
  if (!existsSync(run)) {
    const config = join(base, 'natural.json');
    const data = { use: 'fashion-mnist-mini', limit: { train: 32, test: 20 }, validation: 20, batchSize: 16 };
    const rest = { model: { use: 'mlp', width: 4 }, threat: { epsilon: 0.1 }, objective: 'natural', epochs: 1 };
    const evaluation = { attacks: ['fgsm'] };
    writeFileSync(config, JSON.stringify({ name: 'natural', engine: 'wasm', data, ...rest, evaluation }));
    expect(bulwark('train', config, '--out', run)).toMatchObject({ status: 0 });
    const { sha256: _, ...own } = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')) as FrozenConfig & {
      sha256: string;
    };
    const changed = { ...own, baseFolder: project, config: { ...own.config, plugins: ['./marked.mjs'] } };
    writeFileSync(join(run, 'config.json'), JSON.stringify({ ...changed, sha256: digestOf(changed) }));
  }
  return run;
}

/** A folder with an installed package that is the plugin. */
function packaged(): string {
  const at = join(project, 'node_modules/evil');
  mkdirSync(at, { recursive: true });
  writeFileSync(
    join(at, 'package.json'),
    JSON.stringify({ name: 'evil', type: 'module', exports: { import: './i.js' } }),
  );
  writeFileSync(join(at, 'i.js'), plugin.replace('./helper.mjs', '../../helper.mjs'));
  return project;
}
