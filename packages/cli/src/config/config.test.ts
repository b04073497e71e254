import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { layOver, loadConfig } from './load.js';
import { override } from './override.js';

let folder: string;
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'bulwark-config-'))));

describe('loadConfig', () => {
  it('reads YAML, JSON and TypeScript to the same object', async () => {
    const yaml = await loadConfig(write('a.yaml', 'name: a\nthreat: { epsilon: 8/255 }\n'));
    const json = await loadConfig(write('a.json', '{ "name": "a", "threat": { "epsilon": "8/255" } }'));
    const ts = await loadConfig(
      write('a.ts', "const epsilon: string = '8/255';\nexport const config = { name: 'a', threat: { epsilon } };\n"),
    );
    expect(yaml.input).toEqual({ name: 'a', threat: { epsilon: '8/255' } });
    expect(json.input).toEqual(yaml.input);
    expect(ts.input).toEqual(yaml.input);
  });

  it('lays a config over its base, through several files', async () => {
    write('base.yaml', 'epochs: 3\nobjective: { use: trades, beta: 6 }\n');
    write('middle.yaml', 'extends: base.yaml\nobjective: { beta: 4 }\n');
    const { input } = await loadConfig(write('top.yaml', 'extends: ./middle.yaml\nname: top\n'));
    expect(input).toEqual({ epochs: 3, name: 'top', objective: { use: 'trades', beta: 4 } });
  });

  it('lays later bases over earlier ones', async () => {
    write('setting.yaml', 'epochs: 3\nobjective: { inner: { steps: 10 } }\n');
    write('method.yaml', 'objective: { use: trades, beta: 6 }\n');
    const { input } = await loadConfig(write('both.yaml', 'extends: [setting.yaml, method.yaml]\nepochs: 4\n'));
    expect(input).toEqual({ epochs: 4, objective: { use: 'trades', beta: 6, inner: { steps: 10 } } });
    await expect(loadConfig(write('bad.yaml', 'extends: [setting.yaml, 3]\n'))).rejects.toThrow('["setting.yaml",3]');
  });

  it.each([
    ['a file that does not exist', () => join(folder, 'none.yaml'), 'does not exist'],
    ['broken YAML', () => write('b.yaml', 'a: [1, 2'), 'does not parse'],
    ['broken JSON', () => write('b.json', '{'), 'does not parse'],
    ['a list instead of an object', () => write('l.yaml', '- 1\n'), 'holds no config object'],
    ['an unknown ending', () => write('c.toml', ''), 'unknown ending'],
  ])('refuses %s', async (_, path, message) => {
    await expect(loadConfig(path())).rejects.toThrow(message);
  });

  it('refuses configs that extend each other', async () => {
    write('x.yaml', 'extends: y.yaml\n');
    await expect(loadConfig(write('y.yaml', 'extends: x.yaml\n'))).rejects.toThrow('in a circle');
  });
});

describe('layOver', () => {
  it('replaces a section that names another plugin, and removes what is null', () => {
    const base = { objective: { use: 'trades', beta: 6 }, weightPerturber: { use: 'awp' } };
    expect(layOver(base, { objective: { use: 'at' }, weightPerturber: null })).toEqual({ objective: { use: 'at' } });
  });
});

describe('override', () => {
  it('sets values by path, typed as YAML types them', () => {
    const config = { objective: 'st', evaluation: { attacks: [{ use: 'pgd' }] } };
    expect(
      override(config, ['objective.beta=8', 'evaluation.attacks.0.steps=5', 'name=x', 'threat.epsilon=8/255']),
    ).toEqual({
      objective: { use: 'st', beta: 8 },
      evaluation: { attacks: [{ use: 'pgd', steps: 5 }] },
      name: 'x',
      threat: { epsilon: '8/255' },
    });
  });

  it('refuses an assignment without a value', () => {
    expect(() => override({}, ['seed'])).toThrow('--set seed has no value');
  });
});
