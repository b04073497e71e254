import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { layOver, loadConfig } from './load.js';
import { override } from './override.js';

/** Lists of ten of the list before. */
const billion = Array.from({ length: 10 }, (_, i) =>
  i === 0
    ? 'a0: &a0 [x]'
    : `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
).join('\n');

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

  it.each<[string, (text: string) => Buffer]>([
    ['UTF-8', (text) => Buffer.from(text)],
    ['UTF-8 with a byte-order mark', (text) => Buffer.from(`\ufeff${text}`)],
    ['UTF-16 as Windows saves it', (text) => Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-16 without a mark', (text) => Buffer.from(text, 'utf16le')],
    ['UTF-16, big-endian', (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
    ['UTF-16, big-endian, without a mark', (text) => Buffer.from(text, 'utf16le').swap16()],
  ])('reads YAML and JSON in %s', async (_, encode) => {
    for (const [name, text] of [
      ['a.yaml', 'name: größer\r\nthreat: { epsilon: 8/255 }\r\n'],
      ['A.YML', 'name: größer\nthreat: { epsilon: 8/255 }\n'],
      ['a.json', '{ "name": "größer", "threat": { "epsilon": "8/255" } }'],
    ] as const) {
      writeFileSync(join(folder, name), encode(text));
      const { input } = await loadConfig(join(folder, name));
      expect(input).toEqual({ name: 'größer', threat: { epsilon: '8/255' } });
    }
  });

  it('refuses text in another encoding', async () => {
    writeFileSync(join(folder, 'latin.yaml'), Buffer.from('name: größer\n', 'latin1'));
    await expect(loadConfig(join(folder, 'latin.yaml'))).rejects.toThrow('neither UTF-8 nor UTF-16');
  });

  it('lays merge keys of YAML under what stands beside them', async () => {
    const text = `
base: &base { use: st, beta: 6, inner: { steps: 10 } }
other: &other { beta: 7, extra: 1 }
objective: { <<: *base, beta: 8 }
both: { <<: [*base, *other] }
`;
    const { input } = await loadConfig(write('merge.yaml', text));
    expect(input['objective']).toEqual({ use: 'st', beta: 8, inner: { steps: 10 } });
    expect(input['both']).toEqual({ use: 'st', beta: 6, inner: { steps: 10 }, extra: 1 });
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

  it('reads each base once, however many configs extend it', async () => {
    for (let i = 0; i < 40; i++) write(`e${i}.yaml`, `extends: [e${i + 1}.yaml, e${i + 1}.yaml]\nk${i}: ${i}\n`);
    const { input } = await loadConfig((write('e40.yaml', 'name: last\n'), join(folder, 'e0.yaml')));
    expect(input).toMatchObject({ name: 'last', k0: 0, k39: 39 });
  });

  it.each([
    [
      'chains that are too long',
      () => {
        for (let i = 0; i < 200; i++) write(`c${i}.yaml`, `extends: c${i + 1}.yaml\n`);
        return join(folder, 'c0.yaml');
      },
      'more than 100 configs extend each other',
    ],
    [
      'values too deep in each other',
      () => write('d.json', `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`),
      'within each other',
    ],
    ['values that YAML multiplies', () => write('m.yaml', billion), 'does not parse'],
    [
      'a key that JavaScript takes for the prototype',
      () => write('p.json', '{"a":{"__proto__":{"x":1}}}'),
      '__proto__',
    ],
    ['a folder', () => folder + '/', 'is a folder'],
    ['a pipe', () => (spawnSync('mkfifo', [join(folder, 'f.yaml')]), join(folder, 'f.yaml')), 'is a pipe'],
    ['a base that is none', () => write('n.yaml', 'extends: [1]\n'), 'extends in'],
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
    expect(() => override({}, ['objective.__proto__.x=1'])).toThrow('__proto__ is no key of a config');
    expect(override({}, ['constructor.name=1'])).toEqual({ constructor: { name: 1 } });
  });
});
