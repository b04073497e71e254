import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { BulwarkError } from '../errors.js';
import { measureOrder } from './auto/index.js';
import { coreEngines } from './core-engines.js';
import { currentSession } from './current.js';
import { defineEngine } from './define.js';
import type { Engine, EngineSession } from './engine.js';
import { byRank } from './rank.js';
import { useEngine } from './select.js';

const saved = { engine: process.env['BULWARK_ENGINE'], cache: process.env['BULWARK_CACHE'] };
let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'bulwark-select-'));
  delete process.env['BULWARK_ENGINE'];
  process.env['BULWARK_CACHE'] = cache;
});
afterEach(() => {
  for (const [name, value] of Object.entries({ BULWARK_ENGINE: saved.engine, BULWARK_CACHE: saved.cache }))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  rmSync(cache, { recursive: true, force: true });
});

const failure = async (work: Promise<unknown>): Promise<BulwarkError> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BulwarkError)) throw error;
  return error;
};

/** An engine that is the `cpu` backend under another name and with other words about it. */
const engine = (name: string, rank: number | undefined, session: Partial<EngineSession> = {}): Engine =>
  defineEngine({
    name,
    summary: 'A test.',
    rank,
    options: { level: z.number().int().max(3).default(1).describe('a test') },
    probe: async () => ({ available: true }),
    async start() {
      await tf.setBackend('cpu');
      const about = { backend: 'cpu', description: `${name} 1.0`, device: 'CPU', hostMemory: true, remarks: [] };
      return { ...about, dtypes: ['float32'], ...session };
    },
  });

const missing = (name: string, rank: number, installer = true): Engine =>
  defineEngine({
    name,
    summary: 'A test.',
    rank,
    probe: async () => ({
      available: false,
      refusals: [{ candidate: `lib${name}`, reason: 'not there' }],
      hint: `get lib${name}`,
    }),
    start: () => Promise.reject(new Error('started although it is missing')),
    ...(installer && {
      installer: {
        install: () => Promise.reject(new Error('not in tests')),
        installed: () => [],
        remove: async () => [],
      },
    }),
  });

describe('useEngine with a name', () => {
  it('makes the named engine current', async () => {
    expect(await useEngine('cpu')).toEqual({
      name: 'cpu',
      options: {},
      reason: 'asked for',
      remarks: ['for tests only'],
    });
    expect(tf.getBackend()).toBe('cpu');
    expect(await useEngine('wasm')).toEqual({ name: 'wasm', options: { threads: 'auto' }, reason: 'asked for' });
    expect(tf.getBackend()).toBe('wasm');
    expect(currentSession()!.description).toContain("Bulwark's kernels");
  });

  it('gives the engine its options, and checks them', async () => {
    expect((await useEngine({ use: 'mine', level: 2 }, { engines: [engine('mine', 1)] })).options).toEqual({
      level: 2,
    });
    const error = await failure(useEngine({ use: 'mine', level: 4 }, { engines: [engine('mine', 1)] }));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('mine: level is 4');
    expect((await failure(useEngine({ use: 'cpu', level: 4 }))).message).toContain('level');
    expect((await failure(useEngine({ use: 'auto', threads: 4 }))).message).toContain('engine.threads');
  });

  it('says for each candidate why it does not work, and what to do', async () => {
    const error = await failure(useEngine('gpu', { engines: [missing('gpu', 5)] }));
    expect(error.code).toBe('ENGINE_UNAVAILABLE');
    expect(error.message).toBe('engine gpu does not work on this machine: libgpu: not there');
    expect(error.hint).toBe('get libgpu');
  });

  it('names the engines that there are for one that there is not', async () => {
    const error = await failure(useEngine('wsam'));
    expect(error.code).toBe('PLUGIN_UNKNOWN');
    expect(error.message).toBe('no engine is called "wsam"; known: auto, wasm, cpu');
  });

  it('says whether reduced precision has an effect', async () => {
    const reduced = { engines: [engine('plain', 1), engine('half', 2, { dtypes: ['float32', 'bfloat16'] })] };
    expect(await useEngine('half', { ...reduced, reducedPrecision: true })).toMatchObject({
      reason: 'asked for; attacks in training in bfloat16',
      reducedPrecision: true,
    });
    const plain = await useEngine('plain', { ...reduced, reducedPrecision: true });
    expect(plain.reason).toBe('asked for; reduced precision has no effect here: plain computes in float32 only');
    expect(plain.reducedPrecision).toBeUndefined();
  });
});

describe('useEngine with auto', () => {
  const gpu = { hostMemory: false, device: 'GPU' };

  it('goes by rank where that leads to a GPU, and never takes an engine without one', async () => {
    const engines = [engine('none', undefined, gpu), engine('low', 1, gpu), engine('high', 9, gpu), engine('mid', 5)];
    const choice = await useEngine('auto', { engines });
    expect(choice.name).toBe('high');
    expect(choice.reason).toBe('high 1.0 on GPU');
  });

  it('takes the only engine without measuring it', async () => {
    const choice = await useEngine('auto', { engines: [engine('only', 1), engine('none', undefined)] });
    expect(choice.reason).toBe('only 1.0 on CPU');
    expect(existsSync(join(cache, 'fastest'))).toBe(false);
  });

  it('takes what was measured as the fastest of the others, whatever their ranks, and the next where that fails', async () => {
    let works = true;
    const fragile = defineEngine({
      ...engine('fragile', 3),
      options: {},
      installer: undefined,
      start: () => (works ? engine('fragile', 3).create({}) : Promise.reject(new Error('gone'))),
    });
    const engines = [engine('high', 9), fragile, engine('low', 1), engine('card', 2, gpu)];
    const candidates = byRank(engines).map((each) => ({ engine: each, probe: { available: true } as const }));
    const time = async () => [{ name: 'fragile', milliseconds: 10 }, { name: 'card', milliseconds: 12.34 }, { name: 'low' }, { name: 'high' }]; // prettier-ignore
    await measureOrder(candidates, (each) => each.create({ level: 1 }), time);
    const first = await useEngine('auto', { engines });
    expect(first.name).toBe('fragile');
    expect(first.reason).toMatch(
      /the fastest here \(milliseconds of a pass: fragile 10, card 12, low behind, high behind\)$/,
    );
    works = false;
    const second = await useEngine('auto', { engines });
    expect(second.name).toBe('card');
    expect(second.refusals).toEqual([{ candidate: 'fragile', reason: 'gone' }]);
  });

  it('passes over what is missing, does not start or only seems to be a GPU, and says why', async () => {
    const broken = defineEngine({
      name: 'broken',
      summary: 'A test.',
      rank: 98,
      probe: async () => ({ available: true }),
      start: () => Promise.reject(new Error('its driver is too old')),
    });
    const engines = [
      missing('cuda', 99),
      broken,
      missing('other', 97, false),
      engine('soft', 96, { software: true, device: 'SwiftShader' }),
      ...coreEngines,
    ];
    const { name, reason, refusals } = await useEngine('auto', { engines });
    expect(name).toBe('wasm');
    expect(reason).toMatch(/; perhaps faster: bulwark engine install cuda$/);
    expect(refusals).toEqual([
      { candidate: 'libcuda', reason: 'not there' },
      { candidate: 'libother', reason: 'not there' },
      { candidate: 'broken', reason: 'its driver is too old' },
      { candidate: 'soft', reason: 'SwiftShader computes on the CPU' },
    ]);
  });

  it('gives all reasons where nothing works', async () => {
    const error = await failure(useEngine('auto', { engines: [missing('a', 1), missing('b', 2)] }));
    expect(error.code).toBe('ENGINE_UNAVAILABLE');
    expect(error.message).toBe('no engine works on this machine: libb: not there; liba: not there');
    expect(error.hint).toContain('bulwark engine install b');
  });

  it('lets BULWARK_ENGINE replace auto, but no engine that was named', async () => {
    process.env['BULWARK_ENGINE'] = 'cpu';
    expect(await useEngine('auto')).toMatchObject({ name: 'cpu', reason: 'BULWARK_ENGINE=cpu' });
    expect((await useEngine('wasm')).name).toBe('wasm');
  });

  it('refuses a BULWARK_ENGINE that is no engine, and names those that are', async () => {
    process.env['BULWARK_ENGINE'] = 'cuda';
    const error = await failure(useEngine('auto'));
    expect(error.code).toBe('ENGINE_UNAVAILABLE');
    expect(error.message).toBe('BULWARK_ENGINE is "cuda"; allowed: auto, wasm, cpu');
  });
});

describe('the first use of an engine on a machine', () => {
  /** Plain JavaScript whose maximum, and so its ReLU, is something else. */
  const wrong = (unchecked: boolean, maximum?: tf.KernelFunc): Engine =>
    defineEngine({
      name: 'wrong',
      summary: 'A test.',
      unchecked,
      probe: async () => ({ available: true }),
      async start() {
        if (tf.findBackendFactory('wrong')) tf.removeBackend('wrong');
        tf.registerBackend('wrong', () => Object.assign(new MathBackendCPU(), { firstUse: false }));
        tf.getKernelsForBackend('wrong').forEach(({ kernelName }) => tf.unregisterKernel(kernelName, 'wrong'));
        for (const kernel of tf.getKernelsForBackend('cpu')) {
          const replaced = ['Relu', 'Maximum'].includes(kernel.kernelName) ? maximum : kernel.kernelFunc;
          if (replaced) tf.registerKernel({ ...kernel, backendName: 'wrong', kernelFunc: replaced });
        }
        const about = { backend: 'wrong', description: 'wrong 1.0', device: 'CPU', hostMemory: true, remarks: [] };
        return { ...about, dtypes: ['float32'] };
      },
    });
  const minimum = tf.getKernel('Minimum', 'cpu')!.kernelFunc;

  it('compares its numbers, and remembers that they were right', async () => {
    await useEngine('wasm');
    const notes = readdirSync(join(cache, 'numerics'));
    expect(notes).toHaveLength(1);
    await useEngine('wasm');
    expect(readdirSync(join(cache, 'numerics'))).toEqual(notes);
  });

  it('refuses an engine that computes something else, unless that is meant to mean nothing', async () => {
    const error = await failure(useEngine('wrong', { engines: [wrong(false, minimum)] }));
    expect(error.code).toBe('ENGINE_NUMERICS');
    expect(error.message).toMatch(/computes wrong numbers: ReLU and its gradient is off by/);
    expect((await useEngine('wrong', { engines: [wrong(true, minimum)] })).name).toBe('wrong');
  });

  it('refuses an engine that lacks a kernel', async () => {
    const error = await failure(useEngine('wrong', { engines: [wrong(false)] }));
    expect(error.message).toMatch(/ReLU and its gradient fails: Kernel '\w+' not registered/);
  });

  it('does not need a folder that can be written', async () => {
    process.env['BULWARK_CACHE'] = '/nonexistent/bulwark';
    expect((await useEngine('wasm')).name).toBe('wasm');
  });
});

describe('the threads of wasm', () => {
  it('can be set, and set again, in one process', async () => {
    for (const threads of [2, 3, 2]) {
      await useEngine({ use: 'wasm', threads });
      expect(currentSession()!.threads).toBe(threads);
      expect(currentSession()!.remarks).toEqual([]);
    }
    expect((await failure(useEngine({ use: 'wasm', threads: 0 }))).code).toBe('CONFIG_INVALID');
  });
});
