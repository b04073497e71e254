import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { registerSession } from '../engine/current.js';
import { useEngine, type EngineSession } from '../engine/index.js';
import { networkGraph, type Executor, type Pass, type PassRequest } from '../network/index.js';
import { createRandom } from '../random.js';
import { classifierOfLayers, createNetwork, surrounded, type Classifier } from './index.js';

const plain: EngineSession = {
  ...{ backend: 'cpu', description: 'for this test', device: 'CPU' },
  ...{ dtypes: ['float32'], hostMemory: true, remarks: [] },
};
beforeAll(() => {
  tf.env().set('PROD', true); // no advertisement
  return useEngine('cpu');
});
afterEach(() => registerSession(plain));

const graph = networkGraph([4, 3, 2], (g) => {
  const stem = g.batchNorm('bn', g.conv('conv', g.input, { filters: 3, kernel: 3 }));
  return g.linear('fc', g.globalAveragePool(g.add(stem, stem)), { units: 3 });
});
const network = () => createNetwork(graph, { name: 'net', random: createRandom(1) });
const ofLayers = () =>
  classifierOfLayers(
    tfl.sequential({ layers: [tfl.layers.flatten({ inputShape: [4, 3, 2] }), tfl.layers.dense({ units: 3 })] }),
  );
const models: [string, () => Classifier][] = [
  ['a network', network],
  ['a layers model', ofLayers],
  [
    'a network between functions',
    () => surrounded(network(), { before: (x) => tf.square(x), after: (z) => tf.mul(z, 2) }),
  ],
];
const request: PassRequest = { mode: 'batch', wrt: 'all' };
const images = () => createRandom(2).normal<tf.Rank.R4>([2, 4, 3, 2]);

/** What is thrown, and how many tensors are left behind. */
function refusal(work: () => void): { code?: string; message?: string; left: number } {
  const before = tf.memory().numTensors;
  try {
    work();
    return { left: tf.memory().numTensors - before };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { code, message, left: tf.memory().numTensors - before };
  }
}
const refused = (message: RegExp | string) => ({
  code: 'PASS_INVALID',
  message: expect.stringMatching(message),
  left: 0,
});

describe.each(models)('a pass of %s', (_name, make) => {
  const wrongImages: [unknown, RegExp][] = [
    [[5, 4, 2], /float32 \[2, 5, 4, 2\]; the model takes float32 \[batch, 4, 3, 2\]/],
    [[4, 3, 1], /float32 \[2, 4, 3, 1\]; the model takes/],
    [[4, 3], /float32 \[2, 4, 3\]; the model takes/],
  ];
  it.each(wrongImages)('is refused for images of the shape %j, and leaves nothing behind', (shape, message) => {
    const model = make();
    const x = tf.zeros<tf.Rank>([2, ...(shape as number[])] as [number, number, number, number]) as tf.Tensor4D;
    expect(refusal(() => model.pass([x], request))).toEqual(refused(message));
    tf.dispose(x);
    model.dispose();
  });

  const wrongRequests: [Record<string, unknown>, RegExp][] = [
    [{ mode: 'train' }, /mode: train; allowed: eval, batch/],
    [{ mode: undefined }, /mode: undefined/],
    [{ wrt: 'params' }, /wrt: params; allowed: nothing, images, parameters, all/],
    [{ computeDtype: 'float16' }, /computeDtype: float16; allowed: float32, bfloat16/],
    [{ features: ['nowhere'] }, /the output of nowhere, which the model does not show/],
  ];
  it.each(wrongRequests)('is refused for the request %j', (change, message) => {
    const [model, x] = [make(), images()];
    expect(refusal(() => model.pass([x], { ...request, ...change }))).toEqual(refused(message));
    tf.dispose(x);
    model.dispose();
  });

  it('is refused for images that were disposed, and after the model was', () => {
    const [model, x, gone] = [make(), images(), images()];
    gone.dispose();
    expect(refusal(() => model.pass([gone], request)).code ?? 'of TensorFlow.js').toMatch(
      /PASS_INVALID|of TensorFlow.js/,
    );
    model.dispose();
    expect(refusal(() => model.pass([x], request)).message).toBeDefined();
    tf.dispose(x);
  });

  it('takes gradients of its logits only, and says so before it computes', () => {
    const [model, x] = [make(), images()];
    const pass = model.pass([x], request);
    for (const [given, message] of [
      [[], /a list of 0; the pass has 1 batch/],
      [[tf.ones([2, 3]), null], /a list of 2/],
      [[tf.ones([2, 4])], /float32 \[2, 4\] for batch 0; its logits are float32 \[2, 3\]/],
      [[tf.ones([1, 3])], /float32 \[1, 3\] for batch 0/],
      [[tf.ones([2, 3], 'int32')], /int32 \[2, 3\] for batch 0/],
      [[3], /a number for batch 0/],
    ] as [tf.Tensor2D[], RegExp][]) {
      expect(refusal(() => pass.pullback(given))).toEqual(refused(message));
      tf.dispose(given);
    }
    const dLogits = tf.ones<tf.Rank.R2>([2, 3]);
    const { images: found, parameters } = pass.pullback([dLogits]);
    expect(found[0]!.shape).toEqual(x.shape);
    expect(refusal(() => pass.pullback([dLogits]))).toEqual(refused(/called twice/));
    pass.dispose();
    pass.dispose();
    expect(refusal(() => pass.pullback([dLogits]))).toEqual(refused(/after dispose/));
    const without = model.pass([x], { ...request, wrt: 'nothing' });
    expect(refusal(() => without.pullback([dLogits]))).toEqual(refused(/wrt: nothing/));
    without.dispose();
    expect(dLogits.isDisposed || x.isDisposed).toBe(false);
    tf.dispose([x, dLogits, ...found, ...parameters.values()]);
    model.dispose();
  });
});

describe('an engine that gives what no engine may', () => {
  /** Makes every pass op by op, then changes what comes of it. */
  const session = (change: (pass: Pass) => unknown): EngineSession => ({
    ...plain,
    prepare: ({ eager }) => ({
      dtypes: ['float32'],
      pass: (given, asked) => change(eager.pass(given, asked)) as Pass,
      dispose: () => undefined,
    }),
  });
  const pullback = (found: () => unknown) => (pass: Pass) => ({ ...pass, pullback: found });
  const faults: [string, (pass: Pass) => unknown, RegExp][] = [
    ['a promise of a pass', (pass) => Promise.resolve(pass), /gave a promise as a pass/],
    ['no pass', () => undefined, /gave nothing as a pass/],
    [
      'logits of other classes',
      (pass) => ({ ...pass, logits: [tf.ones([2, 7])] }),
      /\[2, 7\] as logits of batch 0; due: float32 \[2, 3\]/,
    ],
    ['logits of too few batches', (pass) => ({ ...pass, logits: [] }), /a list of 0 as logits/],
    ['no statistics', (pass) => ({ ...pass, statistics: [] }), /a list of 0 as statistics/],
    ['a promise of gradients', pullback(() => Promise.resolve()), /gave a promise as what pullback found/],
    ['no gradients of images', pullback(() => ({ images: [], parameters: new Map() })), /as what pullback found/],
    [
      'gradients of another shape',
      pullback(() => ({ images: [tf.ones([2])], parameters: new Map() })),
      /as gradients of images of batch 0/,
    ],
    [
      'gradients of a parameter in another shape',
      (pass) => ({
        ...pass,
        pullback: (...given: Parameters<Pass['pullback']>) => ({
          ...pass.pullback(...given),
          parameters: new Map([['fc.weight', tf.ones([3])]]),
        }),
      }),
      /float32 \[3\] as gradient of fc.weight; due: float32 \[3, 3\]/,
    ],
  ];
  it.each(faults)('is named for %s', (_what, change, message) => {
    const [model, x, dLogits] = [network(), images(), tf.ones<tf.Rank.R2>([2, 3])];
    registerSession(session(change));
    expect(() => tf.tidy(() => void model.pass([x], request).pullback([dLogits]))).toThrow(
      expect.objectContaining({ code: 'ENGINE_INVALID', message: expect.stringMatching(message) }),
    );
    tf.dispose([x, dLogits]);
    model.dispose();
  });

  const executor = (eager: Executor): Executor => ({ ...eager, pass: undefined as unknown as Executor['pass'] });
  const failures: [string, EngineSession['prepare'], RegExp][] = [
    [
      'throws a text',
      () => {
        throw 'no such layer';
      },
      /^no such layer$/,
    ],
    [
      'throws nothing',
      () => {
        throw undefined;
      },
      /without saying why/,
    ],
    [
      'throws without words',
      () => {
        throw new Error();
      },
      /without saying why/,
    ],
    [
      'gives a promise',
      (() => Promise.reject(new Error('late'))) as unknown as EngineSession['prepare'],
      /gave a promise/,
    ],
    ['gives nothing', (() => undefined) as unknown as EngineSession['prepare'], /gave nothing/],
    ['gives half an executor', ({ eager }) => executor(eager), /which is no executor/],
  ];
  it.each(failures)('leaves passes op by op if prepare %s', (_what, prepare, message) => {
    const [model, x] = [network(), images()];
    const logits = () => {
      const pass = model.pass([x], { mode: 'eval', wrt: 'nothing' });
      const found = [...pass.logits[0]!.dataSync()];
      pass.dispose();
      return found;
    };
    const expected = logits();
    registerSession({ ...plain, prepare });
    expect(logits()).toEqual(expected);
    expect(model.opByOpBecause()).toMatch(message);
    tf.dispose(x);
    model.dispose();
  });
});
