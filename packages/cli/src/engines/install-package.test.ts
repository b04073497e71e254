import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BulwarkError } from '@bulwark/core';
import { placeOf } from './install-package.js';

let project: string;
beforeEach(() => void (project = mkdtempSync(join(tmpdir(), 'bulwark-project-'))));
afterEach(() => rmSync(project, { recursive: true, force: true }));

const spec = '@bulwark/engine-mine@1.0.0';
const file = (...parts: string[]) =>
  join(project, ...parts, 'node_modules/@bulwark/cli/dist/engines/install-package.js');
const refusal = (path: string): BulwarkError => {
  try {
    placeOf(path, spec);
  } catch (error) {
    return error as BulwarkError;
  }
  throw new Error('accepted');
};

describe('where a package of an engine is installed', () => {
  it('is the project of this command', () => {
    writeFileSync(join(project, 'package.json'), '{}');
    expect(placeOf(file(), spec)).toEqual({ folder: project, flags: ['--save-exact'] });
  });
  it("is npm's global folder, if this command is there", () => {
    expect(placeOf(file(), spec)).toEqual({ folder: project, flags: ['--global'] });
  });
  it('is nowhere, if npm did not install this command', () => {
    expect(refusal(join(project, 'packages/cli/dist/engines/install-package.js')).hint).toContain('npm ci');
    expect(refusal(file('.pnpm', 'cli@1.0.0')).hint).toBe(`add ${spec} with the package manager of this project`);
  });
});

/** All of this repository's packages but the engines that npm brings only if asked, as a project has them that installed the command alone. */
function makeProject(): string {
  const modules = join(project, 'node_modules');
  const absent = (name: string) => /^(\.|engine-(tensorflow|webgpu)$|webgpu$|tfjs-backend-webgpu$)/.test(name);
  const link = (name: string) => symlinkSync(resolve('node_modules', name), join(modules, name));
  mkdirSync(modules);
  writeFileSync(join(project, 'package.json'), '{}');
  for (const name of readdirSync('node_modules').filter((each) => !absent(each)))
    if (!name.startsWith('@')) link(name);
    else {
      mkdirSync(join(modules, name));
      for (const inner of readdirSync(join('node_modules', name)).filter((each) => !absent(each)))
        link(`${name}/${inner}`);
    }
  return modules;
}

/** A program called npm that notes its arguments and, if it is told to, puts a package in place. */
function fakeNpm(script: string): string {
  const folder = join(project, 'bin');
  mkdirSync(folder);
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\necho "$@" >> ${project}/npm.log\n${script}\n`);
  chmodSync(join(folder, 'npm'), 0o755);
  return folder;
}

const bulwark = (npm: string, ...words: string[]) =>
  spawnSync(
    process.execPath,
    ['--preserve-symlinks', '--preserve-symlinks-main', 'node_modules/@bulwark/cli/dist/main.js', ...words],
    {
      cwd: project,
      encoding: 'utf8',
      env: {
        ...process.env,
        NO_COLOR: '1',
        BULWARK_ENGINE: '',
        BULWARK_CACHE: join(project, 'cache'),
        PATH: `${npm}${delimiter}${process.env['PATH']}`,
      },
    },
  );

const fromPip = 'engine install tensorflow --from pip'.split(' ');

describe('the command without the packages of engines', () => {
  it('lists them, takes them in configs, and says how to get them', () => {
    makeProject();
    const npm = fakeNpm('exit 1');
    const list = bulwark(npm, 'engine', 'list');
    expect(list.stdout).toMatch(/webgpu +not available: Comes with the package @bulwark\/engine-webgpu@/);
    expect(list.stdout).toContain('run `bulwark engine install webgpu`');
    const named = bulwark(npm, 'verify', '--only', 'unit-sgd', '--engine', 'webgpu:power=low-power');
    expect(named.status).toBe(1);
    expect(named.stderr).toMatch(/engine webgpu does not work on this machine: the package .* is not installed/);
    const auto = bulwark(npm, 'verify', '--only', 'unit-sgd');
    expect(auto.stdout).toMatch(/engine wasm \(.*; perhaps faster: .*bulwark engine install webgpu/);
    expect(auto.status).toBe(0);
  });

  it('installs one with npm, then does what the engine itself wants', () => {
    const modules = makeProject();
    const packages = ['@bulwark/engine-webgpu', '@tensorflow/tfjs-backend-webgpu', 'webgpu'];
    const npm = fakeNpm(packages.map((name) => `ln -s ${resolve('node_modules', name)} ${modules}/${name}`).join('\n'));
    const { status, stdout, stderr } = bulwark(npm, 'engine', 'install', 'webgpu');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toContain(`getting @bulwark/engine-webgpu@`);
    expect(stdout).toContain('webgpu is there and needs nothing else');
    expect(readFileSync(join(project, 'npm.log'), 'utf8')).toMatch(
      /^install --save-exact --ignore-scripts --no-audit --no-fund @bulwark\/engine-webgpu@\d+\.\d+\.\d+\n$/,
    );
    expect(bulwark(npm, 'plugins', 'webgpu').stdout).toContain('power');
  });

  it("gives npm's words when it fails, and does not go round in circles when nothing comes", () => {
    makeProject();
    const failing = fakeNpm('echo "npm error 404 Not Found" >&2; exit 1');
    const failed = bulwark(failing, ...fromPip);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain('npm error 404 Not Found');
    rmSync(failing, { recursive: true });
    const nothing = bulwark(fakeNpm('exit 0'), ...fromPip);
    expect(nothing.status).toBe(1);
    expect(nothing.stderr).toContain('but it is not found');
  });

  it('says that a package does not load, and why', () => {
    const modules = makeProject();
    const broken = join(modules, '@bulwark/engine-webgpu');
    mkdirSync(broken);
    writeFileSync(
      join(broken, 'package.json'),
      '{"name":"@bulwark/engine-webgpu","type":"module","exports":"./index.js"}',
    );
    writeFileSync(join(broken, 'index.js'), "throw new Error('built for another Node')");
    expect(bulwark(fakeNpm('exit 1'), 'engine', 'list').stdout).toContain('does not load: built for another Node');
  });
});
