import { tmpdir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { PluginSpec } from '@bulwark/core';
import { conditionOf, pluginKinds } from '@bulwark/core/plugins';
import { checkConfig, compose, examineConfig, findingText } from '@bulwark/core/run';
import { builtinRegistry } from '../registry.js';

const registry = builtinRegistry();
type Json = Record<string, unknown>;
const config = (change: Json): Json => ({
  data: 'data' in change ? undefined : { use: 'fashion-mnist-mini' },
  model: 'small-cnn',
  threat: { epsilon: '8/255' },
  objective: 'at',
  epochs: 100,
  ...change,
});
/** What is said of a config that is accepted. */
const doubts = (change: Json): string[] =>
  examineConfig(checkConfig(config(change), registry), registry).map(findingText);
const optimizer = (options: Json) => ({ optimizer: { use: 'sgd', ...options } });
const schedule = (options: PluginSpec) => optimizer({ schedule: options });
const objective = (use: string, options: Json = {}) => ({ objective: { use, ...options } });
const attack = (use: string, options: Json) => ({ evaluation: { attacks: [{ use, ...options }] } });
const data = (options: Json) => ({ data: { use: 'fashion-mnist-mini', ...options } });
const l1 = { threat: { norm: 'l1', epsilon: 12 } };
const balls = (...names: string[]) => ({
  norms: names.map((norm) => ({ norm, epsilon: norm === 'linf' ? 8 / 255 : 0.5 })),
});
const teacher = 'mlp';

describe('options that contradict one another', () => {
  it.each<[string, Json, RegExp]>([
    [
      'nesterov without momentum',
      optimizer({ nesterov: true, momentum: 0 }),
      /optimizer: nesterov is true, and momentum is 0/,
    ],
    [
      'a momentum that the schedule moves and is 0',
      optimizer({ momentum: 0, schedule: 'one-cycle' }),
      /momentum is 0, and schedule/,
    ],
    [
      'a rate for parameters that are not there',
      optimizer({ undecayedLearningRate: 1 }),
      /undecayedLearningRate is 1, and decay is all/,
    ],
    [
      'points of a schedule in disorder',
      schedule({
        use: 'piecewise',
        points: [
          { from: 9, factor: 1 },
          { from: 3, factor: 0.1 },
        ],
      }),
      /optimizer.schedule: points\[1\].from is 3, and points\[0\].from is 9/,
    ],
    ['more parts than images', data({ batchSize: 8, accumulate: 9 }), /data: accumulate is 9, and batchSize 8/],
    ['a norm twice', objective('max', balls('linf', 'linf')), /objective: norms names linf twice/],
    ['a norm that is tied to itself', objective('ramp', { target: 'linf' }), /source and target are linf/],
    ['a norm that is not there', objective('ramp', balls('l1', 'l2')), /source is linf, which is not among the norms/],
    [
      'weights of which none counts',
      objective('rslad', { teacher, adversarialWeight: 0, naturalWeight: 0 }),
      /nothing to learn/,
    ],
    [
      'the distance of a point from itself',
      objective('compose', { inner: 'pgd', regularizer: { use: 'kl', between: ['natural', 'natural'] } }),
      /objective.regularizer: between is natural, natural/,
    ],
    [
      'bounds the wrong way round',
      data({ augment: [{ use: 'random-erasing', least: 0.5 }] }),
      /data.augment\[0\]: least is 0.5, and most is 0.33/,
    ],
    ['parts of a version', attack('autoattack', { attacks: ['square'] }), /version is standard, and attacks is square/],
    [
      'a version without parts',
      attack('autoattack', { version: 'custom' }),
      /version is custom, and attacks is missing/,
    ],
    ['pixels of one value', { threat: { norm: 'l2', epsilon: 0.5 }, ...attack('ddn', { levels: 1 }) }, /levels is 1/],
  ])('are refused: %s', (_, change, said) => {
    expect(() => checkConfig(config(change), registry)).toThrow(said);
  });

  it('are told all at once, with every other mistake', () => {
    const wrong = { ...optimizer({ nesterov: true, momentum: 0 }), ...objective('ramp', { target: 'linf' }), seed: -1 };
    const told = (() => {
      try {
        checkConfig(config(wrong), registry);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(told).toMatch(/has 3 mistakes/);
    for (const part of [/seed is -1/, /nesterov is true/, /source and target/]) expect(told).toMatch(part);
  });

  it('are left alone in the config of a run that has trained with them', () => {
    const stored = config(optimizer({ nesterov: true, momentum: 0 }));
    expect(checkConfig(stored, registry, { stored: true }).optimizer['nesterov']).toBe(true);
  });
});

describe('options that have no effect', () => {
  it.each<[string, Json, RegExp]>([
    [
      'a warm-up as long as the run',
      schedule({ use: 'warm-cosine', warmup: 100 }),
      /optimizer.schedule: warmup is 100, and the run has 100 epochs/,
    ],
    ['a longer one', schedule({ use: 'warm-cosine', warmup: 200 }), /up to 50 % of learningRate/],
    [
      'milestones after the end',
      schedule({ use: 'step', milestones: [75, 150] }),
      /milestones is 75, 150, and the run ends after epoch 100/,
    ],
    ['milestones that change nothing', schedule({ use: 'step', milestones: [75], factor: 1 }), /factor is 1/],
    ['points after the end', schedule({ use: 'piecewise', points: [{ from: 101, factor: 1 }] }), /points.from is 101/],
    [
      'a schedule that stands still',
      schedule({ use: 'cosine', floor: 1 }),
      /the learning rate stays at 100 % of learningRate/,
    ],
    [
      'a schedule that never comes up',
      schedule({ use: 'piecewise', points: [{ from: 1, factor: 0.2 }] }),
      /stays at 20 %/,
    ],
    [
      'a schedule of one epoch',
      { ...schedule({ use: 'cosine' }), epochs: 1 },
      /the run has 1 epoch: the learning rate stays/,
    ],
    [
      'momentum with its bounds reversed',
      schedule({ use: 'one-cycle', momentum: [0.95, 0.85] }),
      /moves with the rate/,
    ],
    [
      'momentum that the schedule sets',
      optimizer({ momentum: 0.5, schedule: 'one-cycle' }),
      /momentum is 0.5 and has no effect/,
    ],
    [
      'beta1 that the schedule sets',
      { optimizer: { use: 'adamw', beta1: 0.5, schedule: 'one-cycle' } },
      /beta1 is 0.5 and has no effect/,
    ],
    [
      'decay of nothing',
      optimizer({ weightDecay: 0, decay: 'kernels' }),
      /optimizer: decay is "kernels" and has no effect/,
    ],
    ['an average that never begins', { averaging: { use: 'swa', from: 101 } }, /averaging: from is 101/],
    ['an average that is a copy', { averaging: { use: 'ema', start: 1 } }, /averaging: start is 1/],
    ['rollbacks that are never made', { guard: { retries: 7 } }, /guard: retries is 7 and has no effect/],
    ['a rollback to no end', { guard: { onFailure: 'rollback', factor: 1 } }, /factor is 1: the same steps fail again/],
    ['a rollback that is not allowed', { guard: { onFailure: 'rollback', retries: 0 } }, /retries is 0/],
    ['a guard that never looks', { guard: { overfitting: { action: 'stop', share: 0 } } }, /overfitting.share is 0/],
    ['a guard of nobody', { guard: { callbacks: 'stop' } }, /guard: callbacks is stop/],
    ['a margin of nothing', { guard: { collapse: { epochs: 0, margin: 0.2 } } }, /collapse.epochs is 0/],
    [
      'detachTarget of another discrepancy',
      objective('trades', { detachTarget: true }),
      /objective: detachTarget is true and has no effect: .*symmetric-kl/,
    ],
    [
      'the same in a method within',
      objective('two-neighbours', { of: { use: 'trades', detachTarget: true } }),
      /objective.of: detachTarget/,
    ],
    ['a scale of another start', objective('at', { inner: { startScale: 0.1 } }), /objective.inner: startScale is 0.1/],
    [
      'steps that hardly move',
      { ...objective('at', { inner: { stepSize: '2/255' } }), threat: { norm: 'l2', epsilon: 0.5 } },
      /inner.steps is 10, inner.stepSize is 2\/255: the attack moves by 20\/255 at most, where threat.epsilon is 0.5/,
    ],
    ['the same in linf', { threat: { epsilon: '64/255' } }, /20\/255 at most, where threat.epsilon is 64\/255/],
    [
      'the same of a validation attack',
      attack('pgd', { steps: 2, stepSize: '1/255' }),
      /evaluation.attacks\[0\]: steps is 2/,
    ],
    ['the same of a single step', objective('fast-at', { stepLength: 0.1 }), /stepLength is 0.1/],
    ['the same in radii of an epoch', objective('ikl', { inner: { stepLength: 0.1 } }), /moves by 0.2 of a radius/],
    [
      'a start where there is no gradient',
      objective('trades', { inner: { start: 'none' } }),
      /inner.start is none, .*no gradient at the image/,
    ],
    ['the same by a scale of 0', objective('st', { inner: { startScale: 0 } }), /inner.startScale is 0/],
    [
      'the same of a validation attack',
      attack('pgd', { loss: 'kl', start: 'image' }),
      /loss is kl, and start is image/,
    ],
    [
      'neighbours that are the images',
      objective('at', { inner: { steps: 0, start: 'none' } }),
      /the neighbours are the images/,
    ],
    ['bookkeeping of nothing', objective('at', { riceBookkeeping: true }), /inner.mode is eval/],
    ['a burn-in that is the run', { ...objective('gairat'), epochs: 1 }, /burnIn is 0.5, and the run has 1 epoch/],
    [
      'a warm-up of radii that is the run',
      { ...objective('cfa'), epochs: 10 },
      /warmup is 10, and the run has 10 epochs/,
    ],
    [
      'a warm-up of a perturber that is the run',
      { weightPerturber: { use: 'awp', warmup: 100 } },
      /weightPerturber: warmup is 100/,
    ],
    ['beta of AT', objective('mail', { beta: 6 }), /beta is 6 and has no effect: .*base: trades or mart/],
    ['beta of no regularizer', objective('compose', { inner: 'pgd', beta: 3 }), /beta is 3 .*a regularizer/],
    [
      'a temperature of no distillation',
      objective('ard', { teacher, distillWeight: 0, temperature: 4 }),
      /temperature is 4/,
    ],
    ['a clip beyond the noise', objective('n-fgsm', { clip: 3 }), /clip is 3 and has no effect/],
    ['a clamp of what stays in', objective('elle', { clamp: true }), /clamp is true and has no effect/],
    [
      'another ball than that of the threat model',
      { ...objective('msd'), threat: { epsilon: 0.1 } },
      /training takes linf with 0.03, .* is 0.1/,
    ],
    ['restarts from the image', attack('pgd', { restarts: 5, start: 'image' }), /restarts is 5 and has no effect/],
    ['targets of an untargeted loss', attack('apgd', { targets: 3 }), /targets is 3 and has no effect/],
    ['larger radii outside of l1', attack('apgd', { largeRadii: true }), /largeRadii is true .*the norm l1/],
    ['rho in l1', { ...l1, ...attack('apgd', { rho: 0.5 }) }, /rho is 0.5 .*linf and l2/],
    [
      'queries of no Square',
      attack('autoattack', { version: 'rand', queries: 100 }),
      /queries is 100 and has no effect/,
    ],
    ['held-out images beside the test set', data({ selectOn: 'test', validation: 100 }), /data: validation is 100/],
    ['a seed of no split', { data: { use: 'cifar10', validation: 0, splitSeed: 3 } }, /splitSeed is 3/],
    [
      'a filling of no padding',
      data({ augment: [{ use: 'random-crop', padding: 0, fill: 'reflect' }] }),
      /data.augment\[0\]: fill is "reflect"/,
    ],
  ])('are said: %s', (_, change, said) => {
    const found = doubts(change);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(said);
  });

  it('are none with the defaults of any plugin, in any norm', () => {
    const needed: Json = { teacher, helper: teacher, companion: teacher, of: 'at', inner: 'pgd' };
    const of = (kind: (typeof pluginKinds)[number], write: (spec: PluginSpec) => Json) =>
      registry.list(kind).flatMap(({ name, options }) => {
        const missing = Object.keys(options.shape).filter(
          (key) => key in needed && !isOptional(options.shape[key] as z.ZodType),
        );
        const spec = { use: name, ...Object.fromEntries(missing.map((key) => [key, needed[key]])) };
        return missing.length > 0 || options.safeParse({}).success ? [write(spec)] : [];
      });
    const all = [
      ...of('objective', (spec) => ({ objective: spec })),
      ...of('weight-perturber', (spec) => ({ weightPerturber: spec })),
      ...of('optimizer', (spec) => ({ optimizer: spec })),
      ...of('schedule', (spec) => ({ optimizer: { schedule: spec } })),
      ...of('average', (spec) => ({ averaging: spec })),
      ...of('augmentation', (spec) => ({ data: { use: 'fashion-mnist-mini', augment: [spec] } })),
      ...of('attack', (spec) => ({ evaluation: { attacks: [spec] } })),
    ];
    expect(all.length).toBeGreaterThan(60);
    const threats = [{ epsilon: 8 / 255 }, { norm: 'l2', epsilon: 0.5 }, { norm: 'l1', epsilon: 12 }];
    for (const change of all)
      for (const threat of threats) expect([change, doubts({ ...change, threat })]).toEqual([change, []]);
  });

  it('are marked at every option that says in which case alone it counts', () => {
    const unmarked = pluginKinds.flatMap((kind) =>
      registry.list(kind).flatMap(({ name, options }) =>
        Object.entries(options.shape as Record<string, z.ZodType>)
          .filter(([, option]) => /^[\w-]+ only:/.test(option.description ?? '') && !conditionOf(option))
          .map(([key]) => `${kind} ${name}: ${key}`),
      ),
    );
    expect(unmarked).toEqual([]);
  });
});

const isOptional = (schema: z.ZodType) => schema.safeParse(undefined).success;

describe('what the data and the model show', () => {
  it.each<[string, Json, RegExp[]]>([
    [
      'no images to choose by',
      { ...data({ validation: 0 }), evaluation: { selectBest: 'fgsm', final: 'validation' } },
      [/evaluation.selectBest is fgsm and has no effect: .*set data.validation/, /evaluation.final is validation/],
    ],
    [
      'no layers to take a momentum',
      { model: { use: 'mlp', width: 2 }, batchNorm: { momentum: 0.2, first: 1 } },
      [/batchNorm: momentum is 0.2, first is 1, without effect: the model mlp has no BatchNorm/],
    ],
    ['none of it', { model: { use: 'small-cnn', width: 2 }, batchNorm: { momentum: 0.2 } }, []],
  ])('is said when the run is composed: %s', async (_, change, said) => {
    const warnings: string[] = [];
    const warn = (text: string) => void warnings.push(text);
    const { parts } = await compose(checkConfig(config(change), registry), { registry, baseFolder: tmpdir(), warn });
    parts.model.dispose();
    expect(warnings).toHaveLength(said.length);
    said.forEach((text, i) => expect(warnings[i]).toMatch(text));
  });
});

describe('lengths of steps that are not given', () => {
  const inner = (objectiveOf: unknown, threat: Json): unknown => {
    const { objective: checked } = checkConfig(config({ objective: objectiveOf, threat }), registry);
    return (checked as { inner?: { stepSize: number } }).inner?.stepSize ?? checked;
  };
  const l2 = { norm: 'l2', epsilon: 0.5 };

  it('are those of the papers in linf, whatever the radius', () => {
    for (const epsilon of [4 / 255, 0.1]) {
      expect(inner('trades', { epsilon })).toBe(2 / 255);
      expect(inner('gairat', { epsilon })).toBe(0.007);
    }
  });

  it('are a quarter of epsilon in l2 and l1, for every method that has them', () => {
    const methods = [
      'at',
      'trades',
      'mart',
      'st',
      'gairat',
      'mail',
      'bat',
      'score',
      'arow',
      'cfa',
      'collaborative',
      'rst',
    ];
    for (const use of methods) {
      expect([use, inner(use, l2)]).toEqual([use, 0.125]);
      expect([use, inner({ use, inner: { steps: 7 } }, { norm: 'l1', epsilon: 12 })]).toEqual([use, 3]);
    }
  });

  it('reach plugins within plugins', () => {
    expect(inner({ use: 'two-neighbours', of: 'at' }, l2)).toMatchObject({ of: { inner: { stepSize: 0.125 } } });
    expect(inner({ use: 'compose', inner: 'pgd' }, l2)).toBe(0.125);
  });

  it('stay as they are given, and stay the same when a config is checked again', () => {
    expect(inner({ use: 'at', inner: { stepSize: '15/255' } }, l2)).toBe(15 / 255);
    const once = checkConfig(config({ threat: l2 }), registry);
    expect(checkConfig(once, registry)).toEqual(once);
  });
});
