import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { BulwarkError, createRandom, disposeBatch, takeExamples, useEngine } from '@bulwark/core';
import { checkRun, compose } from '@bulwark/core/run';
import { disposeOutcome, trainStep } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { testRegistry } from './testing.js';

beforeAll(() => useEngine('wasm'));

const registry = testRegistry();

/** Values of all kinds, most of which are wrong wherever they are put. */
const anything = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', 'st', '8/255', '1/0', 'NaN', [], {}, -1, 0, 0.5, 1, 7, 1e9, Infinity),
  fc.jsonValue({ maxDepth: 2 }),
);

const epsilon = fc.constantFrom<unknown>(0, 0.1, '8/255', 1);
const inner = fc.record(
  {
    steps: fc.integer({ min: 0, max: 2 }),
    stepSize: fc.constantFrom<unknown>(0.01, '2/255'),
    start: fc.constantFrom('gaussian', 'uniform', 'none'),
  },
  { requiredKeys: ['steps'] },
);
const discrepancy = fc.constantFrom('kl', 'symmetric-kl', 'js', 'l2', 'squared-l2');
const beta = fc.constantFrom<unknown>(0, 1, 6, '1/2');
const objective = fc.oneof(
  fc.constantFrom<unknown>('natural', { use: 'natural' }),
  ...['at', 'trades', 'mart', 'st', 'collaborative', 'rst', 'gairat', 'gair-rst', 'bat', 'two-neighbours'].map((use) =>
    fc.record<Record<string, unknown>>(
      { use: fc.constant(use), inner, beta, discrepancy },
      { requiredKeys: ['use', 'inner'] as never },
    ),
  ),
);
const optimizer = fc.record<Record<string, unknown>>(
  {
    use: fc.constant('sgd'),
    learningRate: fc.constantFrom<unknown>(0.01, '1/10'),
    momentum: fc.constantFrom(0, 0.9),
    nesterov: fc.boolean(),
    schedule: fc.constantFrom<unknown>(
      'constant',
      'cosine',
      'cyclic',
      { use: 'step', milestones: [1] },
      { use: 'piecewise', points: [{ from: 1, factor: 0.5 }] },
    ),
  },
  { requiredKeys: [] },
);
const averaging = fc.constantFrom<unknown>(
  { use: 'ema' },
  { use: 'ema', decay: 0.5, warmup: 3 },
  { use: 'swa', from: 1 },
);

/** Configs that should mostly be right. */
const sensible = fc.record<Record<string, unknown>>(
  {
    data: fc.record(
      {
        use: fc.constant('tiny'),
        batchSize: fc.integer({ min: 1, max: 60 }),
        accumulate: fc.integer({ min: 1, max: 3 }),
      },
      { requiredKeys: ['use'] },
    ),
    model: fc.constantFrom<unknown>(
      { use: 'mlp', width: 3, depth: 1 },
      { use: 'small-cnn', width: 1 },
      { use: 'mlp', depth: 0 },
    ),
    threat: fc.record({ epsilon, norm: fc.constantFrom('linf', 'l2', 'l1') }, { requiredKeys: ['epsilon'] }),
    objective,
    weightPerturber: fc.constantFrom<unknown>('awp', 'rwp', { use: 'awp', gamma: 0.01 }),
    optimizer,
    averaging,
    epochs: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(),
    guard: fc.constantFrom<unknown>({}, { onFailure: 'rollback' }, { collapse: { epochs: 0 } }),
  },
  { requiredKeys: ['data', 'model', 'threat', 'objective', 'epochs'] as never },
);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** All dotted paths of a config, inner ones included. */
const pathsOf = (value: unknown, at: readonly string[] = []): string[][] =>
  isObject(value) ? Object.entries(value).flatMap(([key, part]) => [[...at, key], ...pathsOf(part, [...at, key])]) : [];

const replaced = (value: unknown, [key, ...rest]: readonly string[], replacement: unknown): unknown =>
  key === undefined
    ? replacement
    : { ...(value as object), [key]: replaced((value as Record<string, unknown>)[key], rest, replacement) };

/** A sensible config in which one value, or a new key, was replaced by anything. */
const damaged = fc
  .tuple(sensible, fc.nat(), anything, fc.option(fc.string({ minLength: 1, maxLength: 8 }), { freq: 4 }))
  .map(([config, pick, value, extra]) => {
    const paths = pathsOf(config);
    const path = paths[pick % paths.length]!;
    return replaced(config, extra === null ? path : [...path.slice(0, -1), extra], value);
  });

/** Composes a config and makes one step with it. @returns the error of a refusal, or undefined */
async function refusal(config: unknown): Promise<BulwarkError | undefined> {
  const before = tf.memory().numTensors;
  try {
    const checked = await checkRun(config, { registry, baseFolder: tmpdir() });
    const { parts } = await compose(checked.config, { registry: checked.registry, baseFolder: tmpdir() });
    const batch = takeExamples(parts.data.train, [0, 1, 2, 3, 4, 5]);
    const random = createRandom(checked.config.seed, 'attack/0/0');
    const context = { model: parts.model, threat: parts.threat, random, epoch: 0, epochs: checked.config.epochs };
    const { accumulate } = checked.config.data;
    const outcome = trainStep(batch, { ...parts, context, accumulate, learningRate: parts.optimizer.learningRate });
    parts.average?.afterStep(parts.model);
    expect(outcome.loss.values.shape).toEqual([1 + parts.objective.terms.length]);
    for (const value of outcome.loss.values.dataSync()) expect(value).not.toBeNaN();
    disposeOutcome(outcome);
    disposeBatch(batch);
    parts.model.dispose();
    parts.optimizer.dispose();
    parts.average?.dispose();
    expect(tf.memory().numTensors).toBe(before);
    return undefined;
  } catch (error) {
    if (error instanceof BulwarkError) return error;
    throw error;
  }
}

/** Top-level keys of a config, which one message at least names. */
const keys = [
  'data',
  'model',
  'threat',
  'objective',
  'weightPerturber',
  'optimizer',
  'averaging',
  'epochs',
  'seed',
  'guard',
  'name',
  'engine',
  'plugins',
  'evaluation',
  'checkpoint',
];

describe('any config', () => {
  it('that is made of allowed values runs a step or is refused by name', async () => {
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(sensible, async (config) => {
        const error = await refusal(config);
        if (error) expect(keys.some((key) => error.message.includes(key))).toBe(true);
        else ran++;
      }),
      { numRuns: 60, seed: 8 },
    );
    expect(ran).toBeGreaterThan(20);
  });

  it('with something wrong in it is refused with its path, or runs a step all the same', async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(damaged, async (config) => {
        const error = await refusal(config);
        if (!error) return;
        refused++;
        expect(error.hint).toBeTruthy();
        const named = [...keys, ...(isObject(config) ? Object.keys(config) : [])];
        expect({ message: error.message, names: named.some((key) => error.message.includes(key)) }).toMatchObject({
          names: true,
        });
      }),
      { numRuns: 200, seed: 8 },
    );
    expect(refused).toBeGreaterThan(60);
  });
});
