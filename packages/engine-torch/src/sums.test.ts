import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { sharedRanks, threadCollective } from '@bulwark/core/testing';
import { available } from '../test/kit.js';
import { smallTraining } from '../test/training.js';
import { kitInUse } from './session.js';
import { ncclSums, openedSums, whyNot, type Facts } from './sums.js';

describe('ranks that would sum over NCCL', () => {
  const rank = (over: Partial<Facts> = {}): Facts => ({
    host: 'a',
    wanted: true,
    version: '2.27.3',
    gpu: 'g0',
    ...over,
  });
  it.each<[string, Facts[], string | undefined]>([
    ['have a GPU each', [rank(), rank({ gpu: 'g1' }), rank({ host: 'b', gpu: 'g2' })], undefined],
    ['are not to', [rank(), rank({ gpu: 'g1', wanted: false })], 'nccl is false'],
    [
      'are without a GPU in part',
      [rank(), rank({ host: 'b', gpu: '', version: '' })],
      'rank 1 on b computes on no NVIDIA GPU',
    ],
    ['are without NCCL in part', [rank(), rank({ gpu: 'g1', version: '' })], 'rank 1 on a has no NCCL'],
    ['have two of it', [rank(), rank({ gpu: 'g1', version: '2.30.1' })], 'rank 1 on a has NCCL 2.30.1, rank 0 2.27.3'],
    [
      'share a GPU',
      [rank(), rank({ gpu: 'g1' }), rank({ gpu: 'g1' })],
      'rank 2 on a shares a GPU with rank 1, which NCCL does not let it',
    ],
  ])('are told why not: they %s', (_what, all, reason) => expect(whyNot(all)).toBe(reason));
});

(available ? describe : describe.skip)('sums over ranks on the device', () => {
  beforeAll(() => tf.setBackend('torch'));
  const native = () => kitInUse()!.native;

  it('are not asked for on processors', async () => {
    const collective = threadCollective(sharedRanks(1), { rank: 0 });
    await expect(ncclSums(kitInUse()!, { collective, wanted: true })).resolves.toBeUndefined();
  });

  it('give the tensors back in their shapes, whatever their layout, and leave nothing behind', () => {
    native().openSums([], 0, 1, 10);
    const sums = openedSums(kitInUse()!, { name: 'sums of one', bytes: 8 });
    const made = () => [
      tf.tensor([1, 2, 3, 4, 5, 6], [3, 2]),
      tf.transpose(tf.tensor([1, 2, 3, 4, 5, 6], [2, 3])),
      tf.tensor([], [0, 4]),
      tf.scalar(7),
    ];
    const before = [tf.memory().numTensors, native().counts()[0]];
    const given = tf.tidy(made);
    const wait = [sums.start(given.slice(0, 1)), sums.start(given.slice(1))];
    const found = wait.flatMap((each) => each());
    const expected = tf.tidy(made);
    expect(found.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
    expect(found.map((each) => [...each.dataSync()])).toEqual(expected.map((each) => [...each.dataSync()]));
    tf.dispose([...found, ...expected]);
    sums.check();
    sums.close();
    expect([tf.memory().numTensors, native().counts()[0]]).toEqual(before);
    expect(() => sums.start([])).toThrow(/no sums are open/);
  });

  it.each([1, 2])('begin while a pass of %s batches is on its way back, with late layers', (batches) => {
    const { model, dispose } = smallTraining('natural');
    const images = Array.from({ length: batches }, (_, i) => tf.randomUniform([2, 8, 8, 3], 0, 1, 'float32', i));
    const dLogits = images.map((_, i) => tf.randomUniform([2, 5], -1, 1, 'float32', 9 + i) as tf.Tensor2D);
    const pass = model.pass(images as tf.Tensor4D[], { mode: 'batch', wrt: 'all' });
    const whole = pass.pullback(dLogits, { keep: true });
    const taken = new Map<string, tf.Tensor>();
    // nothing depends on the first batch: the second one completes the gradients
    for (const given of batches === 1 ? [dLogits] : [dLogits, [null, dLogits[1]!]]) {
      taken.clear();
      const reference = given === dLogits ? whole : pass.pullback(given, { keep: true });
      const { parameters, images: dImages } = pass.pullback(given, {
        keep: true,
        take: (name, gradient) => void taken.set(name, tf.mul(gradient, 1)),
      });
      expect(parameters.size).toBe(0);
      expect([...taken.keys()].sort()).toEqual([...reference.parameters.keys()].sort());
      for (const [name, gradient] of taken)
        expect([...gradient.dataSync()]).toEqual([...reference.parameters.get(name)!.dataSync()]);
      dImages.forEach((each, i) => expect([...each.dataSync()]).toEqual([...reference.images[i]!.dataSync()]));
    }
    const names = [...taken.keys()];
    expect([names.indexOf('fc.weight') < names.indexOf('conv2.weight'), names.at(-1)]).toEqual([true, 'conv1.weight']);
    pass.dispose();
    dispose();
  });

  it('let what goes wrong at a gradient through, as it was', () => {
    const { model, dispose } = smallTraining('natural');
    const images = tf.zeros([2, 8, 8, 3]) as tf.Tensor4D;
    const pass = model.pass([images], { mode: 'batch', wrt: 'parameters' });
    const failure = new Error('no room for a bucket');
    const take = () => {
      throw failure;
    };
    expect(() => pass.pullback([tf.ones([2, 5])], { take })).toThrow(failure);
    pass.dispose();
    dispose();
  });
});
