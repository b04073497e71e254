import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { packageFiles } from '../create/package-files.js';
import { starters, type StarterKind } from '../create/sources.js';
import type { Starter } from '../create/starter.js';
import { pluginKinds } from '@bulwark/core/plugins';
import { main, runNode } from '../testing.js';

const modules = resolve('node_modules');
const folder = mkdtempSync(join(tmpdir(), 'bulwark-create-'));

const run = (cwd: string, file: string, ...args: string[]) =>
  runNode([file, ...args], {
    cwd,
    // jest marks its children; a nested node:test would then only report to it
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', NODE_TEST_CONTEXT: undefined },
  });

beforeAll(() => {
  // as after `npm install`: everything that the packages name, without a network
  symlinkSync(modules, join(folder, 'node_modules'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('starts plugins of every kind', () => expect(Object.keys(starters).sort()).toEqual([...pluginKinds].sort()));

describe.each(Object.keys(starters) as StarterKind[])('create plugin --kind %s', (kind) => {
  const { command = 'train' }: Starter = starters[kind];
  const name = `my-${kind}`;
  const home = join(folder, `bulwark-plugin-${name}`);

  it('writes a package', () => {
    const { status, stderr } = run(folder, main, 'create', 'plugin', name, '--kind', kind);
    expect([status, stderr]).toEqual([0, '']);
    expect(readdirSync(home).sort()).toEqual([
      '.gitignore',
      'README.md',
      'example.yaml',
      'package.json',
      ...(command === 'sweep' ? ['run.yaml'] : []),
      'src',
      'tsconfig.json',
    ]);
    for (const file of ['README.md', 'example.yaml', 'src/index.ts', 'src/index.test.ts', 'package.json'])
      expect(readFileSync(join(home, file), 'utf8')).not.toMatch(/__\w+__/);
    const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    expect(manifest['peerDependencies']).toMatchObject({ '@bulwark/core': '^0.1.0' });
    expect(Object.keys(manifest['peerDependencies']!).every((peer) => peer.startsWith('@bulwark/'))).toBe(true);
  });

  it('passes its own tests', () => {
    const compiled = run(home, join(modules, 'typescript/bin/tsc'));
    expect(compiled.stdout + compiled.stderr).toBe('');
    const { status, stdout } = run(home, '--test', join(home, 'dist/index.test.js'));
    expect(stdout).toMatch(/pass [1-9]/);
    expect([stdout.match(/^# fail (\d+)|fail (\d+)/m)?.[0].replace(/\D/g, ''), status]).toEqual(['0', 0]);
  });

  it('trains at once', () => {
    const { status, stdout, stderr } = run(
      home,
      ...[main, command, 'example.yaml', '--json'],
      ...['epochs=1', 'evaluation.examples=20', ...(kind === 'engine' ? [] : ['engine=wasm'])].flatMap((value) => [
        '--set',
        value,
      ]),
    );
    expect([stderr, status]).toEqual(['', 0]);
    if (command === 'train') expect(JSON.parse(stdout)).toMatchObject({ reason: 'finished' });
    else expect(JSON.parse(stdout)).toMatchObject({ missing: [], rows: [{ seeds: [1] }, { seeds: [1] }] });
  });
});

it.each([
  ['margin-loss', 'objective', 'marginLoss'],
  ['weighted', 'objective', 'weightedObjective'],
  ['describe', 'schedule', 'describeSchedulePlugin'],
  ['lives', 'launcher', 'livesLauncher'],
  ['new', 'engine', 'newEngine'],
])('a plugin %s of kind %s is exported as %s', (name, kind, exported) => {
  const files = packageFiles(name, kind as StarterKind, { bulwark: '0.1.0', node: '>=20' });
  expect(files.get('src/index.ts')).toContain(`export const ${exported} = `);
  expect(files.get('src/index.test.ts')).toContain(`import { ${exported} } from`);
});

describe('create plugin refuses', () => {
  it.each([
    ['an unknown kind', ['create', 'plugin', 'x', '--kind', 'objektive'], 'did you mean objective?'],
    ['a name with capitals', ['create', 'plugin', 'MyLoss', '--kind', 'objective'], 'not lower case with hyphens'],
    ['a name that is taken', ['create', 'plugin', 'wasm', '--kind', 'engine'], 'choose another, such as my-wasm'],
    ['a missing kind', ['create', 'plugin', 'x'], "required option '--kind <kind>'"],
    ['a folder with files', ['create', 'plugin', 'x', '--kind', 'data', '--out', 'taken'], 'exists and is not empty'],
  ])('%s', (_what, args, message) => {
    mkdirSync(join(folder, 'taken', 'x'), { recursive: true });
    const { status, stderr } = run(folder, main, ...args);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
    expect(status).toBe(2);
  });
});
