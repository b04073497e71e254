import { existsSync, mkdirSync, readdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { runCommand } from './testing.js';

let folder: string;

/** Runs the built command as a user does. */
const bulwark = (...args: string[]) => runCommand(args, { cwd: folder });

const config = (change = '') => `
name: tiny
engine: cpu
data: { use: fashion-mnist-mini, batchSize: 32 }
model: mlp
threat: { epsilon: 0.1 }
objective: natural
epochs: 1
${change}`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulwark-cli-'));
  writeFileSync(join(folder, 'good.yaml'), config());
  writeFileSync(join(folder, 'broken.yaml'), 'name: [');
  mkdirSync(join(folder, 'taken'));
  writeFileSync(join(folder, 'taken', 'config.json'), '{}');
  mkdirSync(join(folder, 'empty'));
});

describe('bad input', () => {
  it.each([
    ['an unknown command', ['trian'], "unknown command 'trian'", 2],
    ['an unknown flag', ['train', 'good.yaml', '--sett', 'x'], "unknown option '--sett'", 2],
    ['train without a config', ['train'], 'train needs a config file', 2],
    ['a config that does not exist', ['train', 'none.yaml'], 'does not exist', 2],
    ['a config that does not parse', ['train', 'broken.yaml'], 'does not parse', 2],
    ['an unknown plugin', ['train', 'good.yaml', '--set', 'objective=stt'], 'did you mean st?', 2],
    [
      'an unknown option',
      ['train', 'good.yaml', '--set', 'objective.betta=2'],
      'objective.betta is not an option here',
      2,
    ],
    ['a value out of range', ['train', 'good.yaml', '--set', 'epochs=0'], 'epochs is 0', 2],
    [
      'a regularizer without its neighbour',
      [
        'train',
        'good.yaml',
        '--set',
        'objective={use: compose, inner: none, classification: cross-entropy, regularizer: {use: kl, between: [natural, adversarial]}}',
      ],
      'needs the adversarial point',
      1,
    ],
    [
      'a plugin file that is missing',
      ['train', 'good.yaml', '--set', 'plugins=[./nowhere.ts]'],
      'plugins: "./nowhere.ts" cannot be found from',
      1,
    ],
    [
      'a plugin file that is named like a package',
      ['train', 'good.yaml', '--set', 'plugins=[good.yaml]'],
      'write ./good.yaml: without ./ it names a package',
      1,
    ],
    ['a run folder that exists', ['train', 'good.yaml', '--out', 'taken'], 'holds a run already', 1],
    ['resuming what is no run', ['train', '--resume', 'empty'], 'is not a run folder', 1],
    ['an unknown plugin to describe', ['plugins', 'trade'], 'did you mean trades?', 2],
    ['an init over an existing file', ['init', 'good.yaml'], 'good.yaml exists already', 2],
  ])('%s gives one clear message and a non-zero exit code', (_, args, message, code) => {
    const { status, stderr, stdout } = bulwark(...args);
    expect(stderr + stdout).toContain(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBe(code);
  });

  it('shows the stack with --debug', () => {
    expect(bulwark('--debug', 'train', 'none.yaml').stderr).toMatch(/\n\s+at /);
  });

  it('leaves a run folder that exists as it was', () => {
    bulwark('train', 'good.yaml', '--out', 'taken');
    expect(readFileSync(join(folder, 'taken', 'config.json'), 'utf8')).toBe('{}');
  });

  it('leaves no folder behind for a config that cannot be composed', () => {
    bulwark('train', 'good.yaml', '--set', 'objective.betta=2', '--out', 'fresh');
    expect(existsSync(join(folder, 'fresh'))).toBe(false);
  });
});

describe('a file that cannot be written', () => {
  it.each([
    ['schema', ['schema', 'good.yaml/schema.json']],
    ['init', ['init', 'good.yaml/c.yaml']],
    ['create', ['create', 'plugin', 'mine', '--kind', 'objective', '--out', 'good.yaml/mine']],
    ['data', ['data', 'info', 'fashion-mnist-mini', '--sheet', 'good.yaml/sheet.png']],
  ])('is named by %s, which leaves nothing', (_command, args) => {
    const { status, stderr } = bulwark(...args);
    expect(stderr).toContain('good.yaml/');
    expect(stderr).not.toMatch(/fault in Bulwark|\n\s+at /);
    expect(status).toBe(1);
    expect(readdirSync(folder).filter((name) => name.includes('.tmp'))).toEqual([]);
  });
});

describe('help', () => {
  it.each(['train', 'evaluate', 'plugins', 'init', 'demo', 'verify', 'data', 'engine', 'schema'])(
    '%s explains itself with examples',
    (command) => {
      const { status, stdout } = bulwark(command, '--help');
      expect(status).toBe(0);
      expect(stdout).toContain('Usage: bulwark');
      expect(stdout).toContain('Examples:');
    },
  );
});
