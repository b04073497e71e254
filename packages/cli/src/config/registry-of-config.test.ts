import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { runCommand } from '../testing.js';

const config = resolve('examples/write-an-objective/logit-pairing.yaml');

describe('--config', () => {
  it('lets plugins describe one that the config names', () => {
    const { status, stdout } = runCommand(['plugins', 'logit-pairing', '--config', config]);
    expect([status, stdout]).toEqual([0, expect.stringContaining('weight of the pairing')]);
    const without = runCommand(['plugins', 'logit-pairing']);
    expect([without.status, without.stderr]).toEqual([2, expect.stringContaining('name your config: --config')]);
  });

  it('lets schema complete and check its options', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'bulwark-schema-')), 'schema.json');
    expect(runCommand(['schema', file, '--config', config]).status).toBe(0);
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(file, 'utf8')) as object);
    const base = { data: { use: 'mnist' }, model: 'mlp', threat: { epsilon: 0.1 }, epochs: 1 };
    expect(validate({ ...base, objective: { use: 'logit-pairing', beta: 1 } })).toBe(true);
    expect(validate({ ...base, objective: { use: 'logit-pairing', betta: 1 } })).toBe(false);
  });
});
