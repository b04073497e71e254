import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { coreEngines } from '../core-engines.js';
import type { Engine, EngineSession } from '../engine.js';
import { timeEngines } from './measure.js';
import { knownOrder, measuredOrder, measureOrder, type Candidate } from './order.js';

const saved = { BULWARK_CACHE: process.env['BULWARK_CACHE'], BULWARK_THREADS: process.env['BULWARK_THREADS'] };
let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'bulwark-auto-'));
  process.env['BULWARK_CACHE'] = cache;
});
afterEach(() => {
  for (const [name, value] of Object.entries(saved))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  rmSync(cache, { recursive: true, force: true });
});

const candidate = (name: string, version = '1'): Candidate => ({
  engine: { name } as Engine,
  probe: { available: true, version },
});
const three = [candidate('a'), candidate('b'), candidate('c')];
const start = async ({ name }: Engine): Promise<EngineSession> => {
  if (name === 'b') throw new Error('no driver');
  return { backend: name } as EngineSession;
};
const time = async () => [{ name: 'c', milliseconds: 1 }, { name: 'a' }];

describe('the order of engines', () => {
  it('is measured once, the failed last, and known until something changes', async () => {
    expect(knownOrder(three)).toBeUndefined();
    const order = await measureOrder(three, start, time);
    expect(order.places.map(({ name }) => name)).toEqual(['c', 'a', 'b']);
    expect(order.refusals).toEqual([{ candidate: 'b', reason: 'no driver' }]);
    expect(knownOrder(three)).toEqual(order);
    expect(knownOrder(three.slice(1))).toBeUndefined();
    expect(knownOrder([...three.slice(1), candidate('a', '2')])).toBeUndefined();
    process.env['BULWARK_THREADS'] = '7';
    expect(knownOrder(three)).toBeUndefined();
  });

  it.each([
    '',
    '{',
    'null',
    '{"value":null}',
    '{"value":{"places":[null],"refusals":[]}}',
    '{"value":{"places":[],"refusals":[]}}',
  ])('is measured again where the note is %j', async (content) => {
    await measureOrder(three, start, time);
    const folder = join(cache, 'fastest');
    for (const file of readdirSync(folder)) writeFileSync(join(folder, file), content);
    expect(knownOrder(three)).toBeUndefined();
  });

  it('can be asked for by names', async () => {
    const engines = three.map(({ engine, probe }) => ({ ...engine, rank: 1, probe: async () => probe }) as Engine);
    expect(await measuredOrder(engines)).toBeUndefined();
    await measureOrder(three, start, time);
    expect(await measuredOrder(engines)).toEqual(['c', 'a', 'b']);
  });
});

describe('the race', () => {
  it('puts WebAssembly before plain JavaScript, and leaves nothing behind', async () => {
    const runners = [];
    for (const engine of [...coreEngines].reverse())
      runners.push({ name: engine.name, session: await engine.create(engine.options.parse({})) });
    const before = tf.memory().numTensors;
    const [first, second] = await timeEngines(runners);
    expect(first!.name).toBe('wasm');
    expect(first!.milliseconds).toBeGreaterThan(0);
    expect(second!.name).toBe('cpu');
    expect(tf.memory().numTensors).toBe(before);
  });
});
