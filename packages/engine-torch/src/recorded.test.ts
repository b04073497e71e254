import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { available } from '../test/kit.js';
import { smallTraining } from '../test/training.js';
import { kitInUse, nativeInUse } from './session.js';
import { torchUpdates } from './updates.js';

type Network = ReturnType<typeof smallTraining>['model'];

/** Logits, statistics and image gradients of passes, one network after the other in the same state. */
const look = (model: Network, mode: 'eval' | 'batch', seed: number): number[] => {
  const images = tf.randomUniform([4, 8, 8, 3], 0, 1, 'float32', seed) as tf.Tensor4D;
  const pass = model.pass([images], { mode, wrt: 'images' });
  const dLogits = tf.randomUniform([4, 5], -1, 1, 'float32', seed + 1) as tf.Tensor2D;
  const { images: gradients } = pass.pullback([dLogits]);
  const statistics = pass.statistics.flatMap((each) =>
    [...each.values()].flatMap(({ mean, variance }) => [mean, variance]),
  );
  const numbers = [...pass.logits, ...statistics, ...gradients].flatMap((tensor) => [...tensor.dataSync()]);
  pass.dispose();
  tf.dispose([images, dLogits, ...gradients]);
  return numbers;
};

/** How often the addon calls operators of PyTorch's, by name. */
const operatorsOf = (work: () => void): Map<string, number> => {
  const native = nativeInUse()!;
  native.startProfile!();
  work();
  const [names, numbers] = native.stopProfile!();
  const counts = new Map<string, number>();
  for (let at = 0; at < numbers.length; at += 4)
    counts.set(names[numbers[at]!]!, (counts.get(names[numbers[at]!]!) ?? 0) + 1);
  return counts;
};

// what a GPU does at one launch is run anew here at every replay: all but the graph itself is the same
(available ? describe : describe.skip).each([
  ['kernels of our own', true],
  ["PyTorch's kernels, as on GPUs", false],
] as const)('passes that are recorded and replayed, with %s', (_, own) => {
  const use = (how: 0 | 2 | 3) => nativeInUse()!.useRecordings(how);
  beforeAll(async () => {
    await tf.setBackend('torch');
    nativeInUse()!.useOwnKernels(own);
  });
  beforeEach(() => void use(0));
  afterAll(() => {
    use(0);
    nativeInUse()!.useOwnKernels(true);
  });

  it.each(['eval', 'batch'] as const)('give what others give while weights learn, mode %s', async (mode) => {
    const [plain, recorded] = [
      smallTraining('trades', { inner: { steps: 2 } }),
      smallTraining('trades', { inner: { steps: 2 } }),
    ];
    const replays = () => nativeInUse()!.counts()[4];
    const first = replays();
    for (let round = 0; round < 7; round++) {
      use(0);
      const expected = look(plain.model, mode, round);
      await plain.step();
      use(2);
      const before = nativeInUse()!.counts()[0];
      const found = look(recorded.model, mode, round);
      expect(nativeInUse()!.counts()[0]).toBe(before);
      expect(found).toEqual(expected);
      await recorded.step();
    }
    // three as usual, the others recorded, and so were the attack's two of each later step
    expect(replays() - first).toBeGreaterThanOrEqual(4);
    expect(recorded.model.opByOpBecause?.()).toBeUndefined();
    [plain, recorded].forEach((each) => each.dispose());
  });

  it('serve passes that are kept beside others of their kind, and several ways back', () => {
    const { model, dispose } = smallTraining('at', { inner: { steps: 1 } });
    const batches = [1, 2, 3].map((seed) => tf.randomUniform([4, 8, 8, 3], 0, 1, 'float32', seed) as tf.Tensor4D);
    const dLogits = [4, 5].map((seed) => tf.randomUniform([4, 5], -1, 1, 'float32', seed) as tf.Tensor2D);
    const walk = () => {
      const kept = model.pass([batches[0]!, batches[1]!], { mode: 'batch', wrt: 'images' });
      const other = model.pass([batches[2]!, batches[1]!], { mode: 'batch', wrt: 'images' });
      const third = model.pass([batches[1]!, batches[2]!], { mode: 'batch', wrt: 'images' });
      const back = [
        kept.pullback([dLogits[0]!, null], { keep: true }),
        other.pullback([dLogits[1]!, dLogits[0]!]),
        kept.pullback([null, dLogits[1]!], { keep: true }),
        third.pullback([dLogits[0]!, dLogits[1]!]),
        kept.pullback([dLogits[1]!, dLogits[0]!]),
      ].flatMap(({ images }) => images);
      const numbers = [...kept.logits, ...other.logits, ...third.logits, ...back].map((each) => [...each.dataSync()]);
      [kept, other, third].forEach((each) => each.dispose());
      tf.dispose(back);
      return numbers;
    };
    const expected = walk();
    use(2);
    const before = nativeInUse()!.counts()[4];
    for (let round = 0; round < 5; round++) expect(walk()).toEqual(expected);
    expect(nativeInUse()!.counts()[4] - before).toBe(8); // the first round as usual, then two at once of three
    tf.dispose([...batches, ...dLogits]);
    dispose();
  });

  it('multiply norms into filters once for each content of the weights', () => {
    const { model, dispose } = smallTraining('at', { inner: { steps: 1 } });
    use(2);
    for (let round = 0; round < 4; round++) look(model, 'eval', round);
    // the inverse root of a variance is taken for this alone
    const roots = () => operatorsOf(() => look(model, 'eval', 5)).get('aten::rsqrt');
    expect(roots()).toBeUndefined();
    const norms = [...model.statistics.keys()].filter((name) => name.endsWith('running_var'));
    const variance = model.statistics.get(norms[0]!)!;
    const before = look(model, 'eval', 6);
    tf.tidy(() => torchUpdates(kitInUse()!).approach([variance], [tf.mul(variance, 4)], 1)); // where it lies
    expect(look(model, 'eval', 6)).not.toEqual(before);
    use(0);
    const expected = look(model, 'eval', 6);
    use(2);
    expect(look(model, 'eval', 6)).toEqual(expected);
    expect(roots()).toBeUndefined();
    dispose();
  });

  it('go as before, and say so, where a way back cannot be recorded', () => {
    const { model, dispose } = smallTraining('at', { inner: { steps: 1 } });
    const expected = [0, 1, 2, 3, 4, 5].map((seed) => look(model, 'eval', seed));
    use(3);
    const before = nativeInUse()!.counts();
    expect([0, 1, 2, 3, 4, 5].map((seed) => look(model, 'eval', seed))).toEqual(expected);
    const after = nativeInUse()!.counts();
    expect(after[0]).toBe(before[0]);
    expect(after[4] - before[4]).toBe(1); // the way there of the fourth
    expect(model.opByOpBecause?.()).toMatch(/^without CUDA graphs, since passes cannot be recorded/);
    dispose();
  });

  it('are a remark where no GPU records', () => {
    expect(nativeInUse()!.useRecordings(1)).toBe(0);
  });
});
