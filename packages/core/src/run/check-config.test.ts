import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { BulwarkError } from '../errors.js';
import {
  createRegistry,
  defineDataSource,
  defineModel,
  defineObjective,
  integer,
  number,
  plugin,
} from '../plugins/index.js';
import { corePlugins } from './builtin-plugins.js';
import { checkConfig } from './check-config.js';
import { folderName } from './config.js';

const never = (): never => {
  throw new Error('options are checked before anything is made');
};
const registry = createRegistry([
  ...corePlugins,
  defineDataSource({
    name: 'toy-data',
    summary: '',
    options: { validation: integer({ min: 0 }).default(10) },
    create: never,
  }),
  defineModel({ name: 'toy-model', summary: '', options: { width: integer({ min: 1 }).default(4) }, create: never }),
  defineObjective({
    name: 'toy',
    summary: '',
    options: {
      beta: number({ min: 0 }).default(6).describe('weight'),
      inner: z
        .strictObject({ steps: integer({ min: 0 }).default(10), stepSize: number({ above: 0 }).default(0.01) })
        .prefault({}),
      of: plugin('objective').optional(),
      all: z.array(plugin('objective')).default([]),
    },
    create: never,
  }),
]);

const good = {
  data: { use: 'toy-data' },
  model: 'toy-model',
  threat: { epsilon: '8/255' },
  objective: 'toy',
  epochs: 2,
};
const check = (change: object) => checkConfig({ ...good, ...change }, registry);
const refusal = (change: object): BulwarkError => {
  try {
    check(change);
  } catch (error) {
    return error as BulwarkError;
  }
  throw new Error('accepted');
};

describe('the name of a run', () => {
  const named = (name: string) => folderName.safeParse(name).success;
  it('is one folder below another', () => {
    expect(['run', 'a.b', '.hidden', '..a', 'x-1_2', 'a..'].filter((name) => !named(name))).toEqual([]);
    expect(['.', '..', '...', '', '../x', 'a/b', 'a\\b', 'a b', '\u0000'].filter(named)).toEqual([]);
  });
});

describe('checkConfig', () => {
  it('fills in defaults at every depth', () => {
    const config = check({ objective: { use: 'toy', all: ['toy'] } });
    expect(config.threat).toEqual({ norm: 'linf', epsilon: 8 / 255 });
    expect(config.objective).toEqual({
      use: 'toy',
      beta: 6,
      inner: { steps: 10, stepSize: 0.01 },
      all: [{ use: 'toy', beta: 6, inner: { steps: 10, stepSize: 0.01 }, all: [] }],
    });
    expect(config.data).toMatchObject({ use: 'toy-data', validation: 10, batchSize: 128, augment: [] });
    expect(config.optimizer).toMatchObject({ use: 'sgd', momentum: 0.9, schedule: { use: 'constant' } });
    expect(config.evaluation.attacks[0]).toMatchObject({ use: 'pgd', steps: 20, loss: 'ce' });
  });

  it.each([
    ['nothing', {}, { use: 'auto' }],
    ['a name', { engine: 'wasm' }, { use: 'wasm', threads: 'auto' }],
    ['options', { engine: { use: 'wasm', threads: 2 } }, { use: 'wasm', threads: 2 }],
    ['auto as a section', { engine: { use: 'auto' } }, { use: 'auto' }],
  ])('takes %s for the engine', (_, change, engine) => {
    expect(check(change).engine).toEqual(engine);
  });

  it('takes a name alone for the average that needs no options', () => {
    expect(check({ averaging: 'ema' }).averaging).toEqual(check({ averaging: { use: 'ema' } }).averaging);
    expect(refusal({ averaging: 'swa' }).message).toContain('averaging.from is missing');
    expect(refusal({ averaging: { use: 'ema', decay: 2 } }).message).toContain('averaging.decay is 2');
    expect(refusal({ averaging: { use: 'ema', decai: 1 } }).hint).toBe('did you mean decay?');
  });

  it('takes a name alone for statistics over all ranks', () => {
    expect(check({ batchNorm: 'synchronised' }).batchNorm).toEqual({ use: 'synchronised' });
    expect(check({ batchNorm: { first: 1, use: 'local' } }).batchNorm).toEqual({
      first: 1,
      use: 'local',
    });
    expect(refusal({ batchNorm: 'synced' }).message).toContain('batchNorm is "synced": expected local, synchronised');
    expect(refusal({ batchNorm: { use: 'synced' } }).message).toContain('batchNorm.use is "synced"');
    expect(refusal({ batchNorm: { momentun: 1 } }).hint).toBe('did you mean momentum?');
  });

  it('gives the same when its result is checked again', () => {
    const config = check({ objective: { use: 'toy', of: { use: 'toy', beta: '1/2' } } });
    expect(checkConfig(JSON.parse(JSON.stringify(config)), registry)).toEqual(config);
  });

  it.each([
    ['an unknown top-level key', { epoch: 3 }, 'epoch is not an option here', 'did you mean epochs?'],
    [
      'an unknown key in a section',
      { threat: { epsilon: 0.1, radius: 2 } },
      'threat.radius is not an option',
      'remove it',
    ],
    [
      'an unknown plugin option',
      { objective: { use: 'toy', betta: 2 } },
      'objective.betta is not an option here; known: beta, inner',
      'did you mean beta?',
    ],
    [
      'an unknown nested option',
      { objective: { use: 'toy', inner: { step: 2 } } },
      'objective.inner.step is not an option here; known: steps, stepSize',
      'did you mean steps?',
    ],
    ['an unknown plugin', { objective: 'toi' }, 'objective.use: no objective is called "toi"', 'did you mean toy?'],
    [
      'an unknown nested plugin',
      { objective: { use: 'toy', all: [{ use: 'x' }] } },
      'objective.all[0].use: no objective',
      'run `bulwark plugins` to see all',
    ],
    ['a wrong type', { epochs: 'many' }, 'epochs is "many"', 'set epochs'],
    ['a value out of range', { objective: { use: 'toy', beta: -1 } }, 'objective.beta is -1', 'set objective.beta'],
    [
      'a malformed fraction',
      { threat: { epsilon: '8//255' } },
      'threat.epsilon is "8//255": expected a number or a fraction',
      'set threat.epsilon',
    ],
    ['an unknown norm', { threat: { norm: 'l3', epsilon: 1 } }, 'threat.norm is "l3"', 'set threat.norm'],
    [
      'a data option of the wrong type',
      { data: { use: 'toy-data', validation: 'x' } },
      'data.validation is "x"',
      'set data.validation',
    ],
    [
      'an unknown engine',
      { engine: 'wsam' },
      'engine.use: no engine is called "wsam"; known: auto, wasm, cpu',
      'did you mean wasm?',
    ],
    ['an engine that is nearly auto', { engine: 'atuo' }, 'no engine is called "atuo"', 'did you mean auto?'],
    [
      'an option of another engine',
      { engine: { use: 'cpu', threads: 2 } },
      'engine.threads is not an option here',
      'remove it',
    ],
    ['an option of auto', { engine: { use: 'auto', threads: 2 } }, 'engine.threads is not an option here', 'remove it'],
    [
      'an engine option out of range',
      { engine: { use: 'wasm', threads: 0 } },
      'engine.threads is 0',
      'set engine.threads',
    ],
    ['an engine that is no section', { engine: 3 }, 'engine is 3', 'set engine'],
    ['engine options without a name', { engine: { threads: 2 } }, 'engine', 'set engine'],
    ['a missing section', { model: undefined }, 'model is missing', 'add model, for example: model: small-cnn'],
    ['an empty section', { threat: null }, 'threat is missing: expected a section', 'threat: { norm: linf, epsilon:'],
    ['a text for a section', { data: 'npz' }, 'data is "npz": expected a section', 'for example: data: { use: '],
    [
      'a missing option',
      { threat: { norm: 'l2' } },
      'threat.epsilon is missing: expected a number',
      'add threat.epsilon',
    ],
    ['a section without a name', { data: {} }, 'data.use is missing: expected text', 'which `bulwark plugins` lists'],
    [
      'an unknown attack option',
      { evaluation: { attacks: [{ use: 'pgd', stepz: 3 }] } },
      'evaluation.attacks[0].stepz',
      'did you mean steps?',
    ],
  ])('refuses %s, naming the place and the hint', (_, change, message, hint) => {
    const error = refusal(change);
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
    expect(error.exitCode).toBe(2);
  });

  it('names everything that is wrong at once, each with its place and its hint', () => {
    const error = refusal({
      epoch: 3,
      epochs: 0,
      model: undefined,
      seed: -1,
      data: { use: 'toy-data', batchSize: 0, validation: 'x' },
      threat: { epsilon: 'much', norm: 'l3', radius: 1 },
      objective: { use: 'toy', bta: 1, beta: -1, inner: { step: 2 }, all: [{ use: 'toi' }, { use: 'toy', beta: 'x' }] },
      evaluation: { every: 0, attacks: [{ use: 'pdg' }, { use: 'pgd', stepz: 1 }] },
      optimizer: { schedule: 'cosin' },
    });
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.exitCode).toBe(2);
    const places = [...error.message.matchAll(/^- ([\w.[\]]+)/gm)].map(([, place]) => place!.replace(/\.use$/, ''));
    expect(places.sort()).toEqual(
      [
        ...['epoch', 'epochs', 'model', 'seed', 'data.batchSize', 'data.validation'],
        ...['threat.epsilon', 'threat.norm', 'threat.radius'],
        ...['objective.bta', 'objective.beta', 'objective.inner.step', 'objective.all[0]', 'objective.all[1].beta'],
        ...['evaluation.every', 'evaluation.attacks[0]', 'evaluation.attacks[1].stepz', 'optimizer.schedule'],
      ].sort(),
    );
    expect(error.message).toMatch(/^the config has 18 mistakes:\n/);
    expect(error.message).toContain('did you mean beta?');
    expect(error.message).toContain('did you mean cosine?');
  });

  it('names every length that counts in pixel values of 0 to 255', () => {
    const attacks = [
      { use: 'pgd', stepSize: 2 },
      { use: 'pgd', stepSize: 4 },
    ];
    const { message } = refusal({ threat: { epsilon: 8 }, evaluation: { attacks } });
    for (const place of ['threat.epsilon', 'evaluation.attacks[0].stepSize', 'evaluation.attacks[1].stepSize'])
      expect(message).toContain(place);
  });

  it('tells of lengths and of norms that are given twice together with the rest', () => {
    const threats = [
      { norm: 'l2', epsilon: 0.5 },
      { norm: 'l2', epsilon: 1 },
    ];
    const { message } = refusal({
      seed: -1,
      threat: { epsilon: 8 },
      objective: 'toi',
      evaluation: { threats, attacks: [{ use: 'pgd', stepSize: 2 }, { use: 'pdg' }] },
    });
    const places = ['seed', 'threat.epsilon', 'objective.use', 'threat names l2 twice', 'attacks[0].stepSize'];
    for (const place of [...places, 'attacks[1].use']) expect(message).toContain(place);
    expect(message).toMatch(/^the config has 6 mistakes/);
  });

  it('knows the keys of a section that its plugin shares with the run', () => {
    const { message, hint } = refusal({ optimizer: { use: 'sgd', schedul: 'cosine' } });
    expect(message).toMatch(/known: .*learningRate.*schedule, clipNorm/);
    expect(hint).toBe('did you mean schedule?');
    expect(refusal({ data: { use: 'toy-data', batchsize: 3 } }).hint).toBe('did you mean batchSize?');
  });

  it.each([null, 3, 'text', []])('refuses %j, which is no config', (input) => {
    expect(() => checkConfig(input, registry)).toThrow('the config');
  });
});

describe('a list of threat models', () => {
  const [linf, l2] = [
    { norm: 'linf', epsilon: 8 / 255 },
    { norm: 'l2', epsilon: 0.5 },
  ];
  it('trains in the first, and has all measured', () => {
    const { threat, evaluation } = check({ threat: [{ epsilon: '8/255' }, l2] });
    expect([threat, ...evaluation.threats!]).toEqual([linf, l2]);
    expect(check({ threat: [linf] })).toEqual(check({ threat: linf }));
  });
  it('is read again from what it stands for, as frozen configs are', () => {
    const once = check({ threat: [linf, l2], evaluation: { examples: 10 } });
    expect(check({ ...once, data: good.data, optimizer: undefined })).toEqual(once);
  });
  it.each<[object[], object | undefined, RegExp]>([
    [[], undefined, /threat is an empty list/],
    [[{ norm: 'l9', epsilon: 1 }], undefined, /threat\[0\]\.norm/],
    [[{ epsilon: 0.1 }, { norm: 'l2', epsilon: 'far' }], undefined, /threat\[1\]\.epsilon/],
    [[{ epsilon: 0.1 }, { norm: 'linf', epsilon: 0.2 }], undefined, /threat names linf twice/],
    [[{ epsilon: 0.1 }, { norm: 'l2', epsilon: 1 }], { threats: [] }, /evaluation\.threats is given, too/],
  ])('%j is refused where it is wrong', (threat, evaluation, message) => {
    expect(refusal({ threat, ...(evaluation && { evaluation }) }).message).toMatch(message);
  });
});
