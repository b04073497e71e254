import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from '../errors.js';
import { coreEngines } from './core-engines.js';
import { defineEngine } from './define.js';
import { diagnoseEngine } from './doctor/index.js';
import type { Engine, EngineDefinition, EngineSession } from './engine.js';
import { useEngine } from './select.js';

const saved = { BULWARK_CACHE: process.env['BULWARK_CACHE'], BULWARK_ENGINE: process.env['BULWARK_ENGINE'] };
let cache: string;
beforeAll(() => {
  tf.env().set('PROD', true); // no advertisement
  cache = mkdtempSync(join(tmpdir(), 'bulwark-promised-'));
  process.env['BULWARK_CACHE'] = cache;
  delete process.env['BULWARK_ENGINE'];
});
afterAll(() => {
  for (const [name, value] of Object.entries(saved))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  rmSync(cache, { recursive: true, force: true });
});

const session: EngineSession = {
  ...{ backend: 'cpu', description: 'of a plugin', device: 'CPU' },
  ...{ dtypes: ['float32'], hostMemory: true, remarks: [] },
};
const engineWith = (parts: Record<string, unknown>): Engine =>
  defineEngine({
    name: 'broken',
    summary: 'A test.',
    rank: 1000,
    probe: async () => ({ available: true }),
    async start() {
      await tf.setBackend('cpu');
      return session;
    },
    ...(parts as Partial<EngineDefinition<Record<never, never>, Record<never, never>>>),
  });
const gives = (member: keyof EngineSession, value: unknown) => ({
  start: async () => ({ ...session, [member]: value }),
});
const throws = (thrown: unknown) => () => {
  throw thrown;
};

const faults: [string, Record<string, unknown>, string, RegExp][] = [
  ['its probe throws', { probe: throws(new Error('no driver')) }, 'ENGINE_UNAVAILABLE', /no driver/],
  ['its probe rejects', { probe: () => Promise.reject(new Error('no card')) }, 'ENGINE_UNAVAILABLE', /no card/],
  ['its probe throws a text', { probe: throws('no word') }, 'ENGINE_UNAVAILABLE', /no word/],
  ['its probe throws nothing', { probe: throws(undefined) }, 'ENGINE_UNAVAILABLE', /without saying why/],
  ['its probe gives nothing', { probe: async () => undefined }, 'ENGINE_UNAVAILABLE', /its probe gave nothing/],
  ['its probe gives true', { probe: async () => true }, 'ENGINE_UNAVAILABLE', /its probe gave a boolean/],
  [
    'it is not available and gives no reasons',
    { probe: () => ({ available: false }) },
    'ENGINE_UNAVAILABLE',
    /does not work/,
  ],
  ['its start throws', { start: throws(new Error('no memory')) }, 'ENGINE_UNAVAILABLE', /no memory/],
  ['its start rejects with nothing', { start: () => Promise.reject() }, 'ENGINE_UNAVAILABLE', /without saying why/],
  ['its start gives nothing', { start: async () => undefined }, 'ENGINE_INVALID', /its start gave nothing/],
  ['its start gives a name', { start: async () => 'cpu' }, 'ENGINE_INVALID', /gave a string without a text as backend/],
  ['its backend is not there', gives('backend', 'nowhere'), 'ENGINE_UNAVAILABLE', /no backend nowhere/],
  ['it has no backend', gives('backend', undefined), 'ENGINE_INVALID', /a text as backend/],
  ['it has no description', gives('description', ''), 'ENGINE_INVALID', /a text as description/],
  ['it has no float32', gives('dtypes', ['bfloat16']), 'ENGINE_INVALID', /dtypes with float32/],
  ['it has no remarks', gives('remarks', undefined), 'ENGINE_INVALID', /a list as remarks/],
  ['it does not say where tensors lie', gives('hostMemory', undefined), 'ENGINE_INVALID', /hostMemory/],
  [
    'its updates lack one',
    gives('updates', { sgd: () => undefined }),
    'ENGINE_INVALID',
    /updates with all their functions/,
  ],
  ['its prepare is no function', gives('prepare', {}), 'ENGINE_INVALID', /a function as prepare/],
];

describe('an engine of a plugin', () => {
  it.each(faults)(
    'is refused by name if %s; doctor says so, and auto takes another',
    async (_what, parts, code, message) => {
      const broken = engineWith(parts);
      const error: unknown = await useEngine('broken', { engines: [broken] }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(BulwarkError);
      expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(/\w/) });
      expect((error as BulwarkError).message).toContain('engine broken');
      expect(await diagnoseEngine(broken, { seconds: 0 })).toMatchObject({
        works: false,
        reason: (error as BulwarkError).message,
      });
      const choice = await useEngine('auto', {
        engines: [broken, ...coreEngines.filter(({ name }) => name === 'wasm')],
      });
      expect(choice.name).toBe('wasm');
      if (code === 'ENGINE_INVALID' || !/does not work/.test(message.source))
        expect(choice.refusals).toContainEqual({ candidate: 'broken', reason: expect.stringMatching(message) });
    },
  );

  it('whose passes fail where auto times them is passed over', async () => {
    const pass = throws(new Error('kernel fault'));
    const broken = engineWith({
      probe: async () => ({ available: true, gpu: false }),
      start: async () => {
        await tf.setBackend('cpu');
        return { ...session, prepare: () => ({ dtypes: ['float32'], pass, dispose: () => undefined }) };
      },
    });
    const before = tf.memory().numTensors;
    const choice = await useEngine('auto', { engines: [broken, ...coreEngines] });
    expect(choice.name).toBe('wasm');
    expect(choice.refusals).toContainEqual({ candidate: 'broken', reason: 'kernel fault' });
    expect(tf.memory().numTensors).toBe(before);
    // and is remembered as such
    expect((await useEngine('auto', { engines: [broken, ...coreEngines] })).name).toBe('wasm');
  });

  it('cannot be called auto', () => {
    expect(() =>
      defineEngine({ ...engineWith({}), name: 'auto', options: {}, start: async () => session, installer: undefined }),
    ).toThrow(expect.objectContaining({ code: 'PLUGIN_DUPLICATE' }));
  });
});
