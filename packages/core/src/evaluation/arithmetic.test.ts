import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { subset, type ImageSet } from '../batch.js';
import type { Network } from '../classifier/index.js';
import { currentSession, registerSession, useEngine } from '../engine/index.js';
import type { Attack } from '../hooks/index.js';
import { norms } from '../threat/index.js';
import { evaluateCorruptions } from './corruptions.js';
import { evaluate, type Evaluation } from './evaluate.js';
import { mergeEvaluations, shardPositions } from './merge.js';
import { parseEvaluation } from './result.js';
import { thresholdModel } from './threshold-testing.js';

const data: ImageSet = {
  images: Uint8Array.from([51, 115, 140, 204]),
  labels: Int32Array.from([0, 0, 1, 1]),
  shape: [1, 1, 1],
};
const threat = { norm: norms.linf, epsilon: 0.1 };
const still = (label: string): Attack => ({ label, settings: {}, run: (images) => tf.clone(images) });
let model: Network;
const run = (changes: Partial<Evaluation> = {}) => evaluate({ model, data, attacks: [still('a')], threat, ...changes });
/** From now on the engine computes otherwise than in float32, or not. */
const round = (arithmetic?: string) => {
  const { arithmetic: _before, ...session } = currentSession()!;
  registerSession({ ...session, ...(arithmetic !== undefined && { arithmetic }) });
};

describe('a result says how passes rounded, if not in float32', () => {
  beforeAll(async () => {
    await useEngine('cpu');
    model = thresholdModel();
  });
  beforeEach(() => round());

  it('and nothing where all was float32', async () => {
    expect(await run()).not.toHaveProperty('arithmetic');
  });
  it('also in its file, and where it is continued in float32 or begun so', async () => {
    const exact = await run();
    round('products in TF32');
    const rounded = await run();
    expect(rounded.arithmetic).toBe('products in TF32');
    expect(parseEvaluation(JSON.parse(JSON.stringify(rounded)), 'a file')).toEqual(rounded);
    expect((await run({ attacks: [still('b')], previous: exact })).arithmetic).toBe('products in TF32');
    round();
    expect((await run({ attacks: [still('b')], previous: rounded })).arithmetic).toBe('products in TF32');
    round('products in emulated TF32');
    const both = await run({ attacks: [still('b')], previous: rounded });
    expect(both.arithmetic).toBe('products in TF32; products in emulated TF32');
    expect((await run({ attacks: [still('c')], previous: both })).arithmetic).toBe(both.arithmetic);
  });
  it('where flags are taken over from a smaller radius', async () => {
    round('products in TF32');
    const smaller = await run({ threat: { ...threat, epsilon: 0.05 } });
    round();
    expect((await run({ smaller })).arithmetic).toBe('products in TF32');
  });
  it('where one of the shards was computed so', async () => {
    const shards = [];
    for (const index of [1, 2]) {
      round(index === 2 ? 'products in TF32' : undefined);
      shards.push(await run({ data: subset(data, shardPositions(4, { index, count: 2 })) }));
    }
    round();
    expect((await mergeEvaluations(shards, { model, data, threat })).arithmetic).toBe('products in TF32');
    expect(await mergeEvaluations([shards[0]!, shards[0]!], { model, data, threat })).not.toHaveProperty('arithmetic');
  });
  it('also of corruptions', async () => {
    const weather = { name: 'weather', test: data, groups: [{ name: 'haze', level: 1, from: 0, to: 4 }] };
    const exact = await evaluateCorruptions({ model, data: weather });
    expect(exact).not.toHaveProperty('arithmetic');
    round('products in TF32');
    const rounded = await evaluateCorruptions({ model, data: weather });
    expect(rounded.arithmetic).toBe('products in TF32');
    round();
    expect(await evaluateCorruptions({ model, data: weather, previous: rounded })).toEqual(rounded);
  });
});
