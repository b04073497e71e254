import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from '../errors.js';
import { engineNames, useEngine } from './select.js';

const saved = { engine: process.env['BULWARK_ENGINE'], cache: process.env['BULWARK_CACHE'] };
const restore = (name: string, value: string | undefined): void => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};

const failure = async (work: Promise<unknown>): Promise<BulwarkError> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BulwarkError);
  return error as BulwarkError;
};

beforeEach(() => {
  delete process.env['BULWARK_ENGINE'];
  process.env['BULWARK_CACHE'] = '/nonexistent/bulwark'; // no native engine here
});
afterEach(() => {
  restore('BULWARK_ENGINE', saved.engine);
  restore('BULWARK_CACHE', saved.cache);
});

describe('useEngine', () => {
  it('makes the named engine current', async () => {
    expect(await useEngine('cpu')).toEqual({ name: 'cpu', reason: 'asked for' });
    expect(tf.getBackend()).toBe('cpu');
    expect(await useEngine('wasm')).toEqual({ name: 'wasm', reason: 'asked for' });
    expect(tf.getBackend()).toBe('wasm');
  });

  it('takes an engine that works for auto, and tells why no faster one and how to get it', async () => {
    const { name, reason, refusals } = await useEngine('auto');
    expect(tf.getBackend()).toBe(name);
    expect(reason).not.toContain('\n');
    const better = engineNames.slice(0, engineNames.indexOf(name));
    if (better.includes('tensorflow')) {
      expect(reason).toContain('bulwark engine install tensorflow');
      expect(refusals!.map(({ candidate }) => candidate)).toContain('@tensorflow/tfjs-node');
    }
    if (better.includes('webgpu')) expect(refusals!.map(({ candidate }) => candidate)).toContain('webgpu');
    for (const refusal of refusals!) expect(refusal.reason).toMatch(/\w/);
  });

  it('lets BULWARK_ENGINE replace auto, but no engine that was named', async () => {
    process.env['BULWARK_ENGINE'] = 'cpu';
    expect(await useEngine('auto')).toEqual({ name: 'cpu', reason: 'BULWARK_ENGINE=cpu' });
    expect((await useEngine('wasm')).name).toBe('wasm');
  });

  it('says when reduced precision has no effect', async () => {
    const choice = await useEngine('wasm', { reducedPrecision: true });
    expect(choice).toEqual({
      name: 'wasm',
      reason: 'asked for; reduced precision has no effect here: wasm computes in float32 only',
    });
  });

  it('refuses a BULWARK_ENGINE that is no engine, and names those that are', async () => {
    process.env['BULWARK_ENGINE'] = 'cuda';
    const error = await failure(useEngine('auto'));
    expect(error.code).toBe('ENGINE_UNAVAILABLE');
    expect(error.message).toBe('BULWARK_ENGINE is "cuda"; allowed: auto, tensorflow, webgpu, wasm, cpu');
  });

  it('says for each candidate why a named engine does not work, and what to do', async () => {
    const error = await failure(useEngine('tensorflow'));
    expect(error.code).toBe('ENGINE_UNAVAILABLE');
    expect(error.message).toContain('@tensorflow/tfjs-node: ');
    expect(error.message).toContain('engine cache: ');
    expect(error.cure).toContain('bulwark engine install tensorflow');
  });
});
