import { describe, expect, it } from '@jest/globals';
import { configJsonSchema } from '@bulwark/core/run';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { builtinRegistry } from '../registry.js';
import { starterConfig } from './init.js';

const validate = new Ajv2020({ strict: false }).compile(configJsonSchema(builtinRegistry()));
const starter = () => parse(starterConfig) as Record<string, Record<string, unknown>>;

describe('the JSON schema of configs', () => {
  it('accepts the starter config', () => {
    expect(validate(starter())).toBe(true);
  });

  it('refuses an option that the named plugin does not have', () => {
    expect(validate({ ...starter(), objective: { use: 'st', betta: 3 } })).toBe(false);
    expect(validate({ ...starter(), data: { use: 'fashion-mnist-mini', batchsize: 3 } })).toBe(false);
  });

  it('refuses an unknown plugin and a number out of form', () => {
    expect(validate({ ...starter(), model: 'lenet' })).toBe(false);
    expect(validate({ ...starter(), threat: { epsilon: 'eight' } })).toBe(false);
  });

  it('completes engines and their options', () => {
    for (const engine of ['auto', { use: 'auto' }, 'wasm', { use: 'wasm', threads: 2 }, { use: 'wasm' }])
      expect([engine, validate({ ...starter(), engine })]).toEqual([engine, true]);
    for (const engine of [
      'wsam',
      { use: 'auto', threads: 2 },
      { use: 'cpu', threads: 2 },
      { use: 'wasm', threads: -1 },
    ])
      expect([engine, validate({ ...starter(), engine })]).toEqual([engine, false]);
  });

  it('accepts fractions and short names', () => {
    expect(validate({ ...starter(), model: 'mlp', threat: { epsilon: '8/255' } })).toBe(true);
  });
});
