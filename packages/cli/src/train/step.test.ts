import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createRandom, disposeBatch, takeExamples, useEngine, type ComposedRun, type StepSetup } from '@bulwark/core';
import { checkRun, compose } from '@bulwark/core/run';
import { atPerturbedWeights, createSgd, disposeOutcome, stepGradients, trainStep } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { testRegistry, tinyConfig } from './testing.js';

beforeAll(() => useEngine('wasm'));

const registry = testRegistry();

async function composed(over: Record<string, unknown> = {}): Promise<ComposedRun> {
  const checked = await checkRun(tinyConfig(over), { registry, baseFolder: tmpdir() });
  return compose(checked.config, { registry: checked.registry, baseFolder: tmpdir() });
}

const setupOf = ({ parts }: ComposedRun, step = 0): StepSetup => ({
  ...parts,
  learningRate: parts.optimizer.learningRate,
  context: {
    model: parts.model,
    threat: parts.threat,
    random: createRandom(1, `attack/0/${step}`),
    epoch: 0,
    epochs: 1,
  },
});

const batchOf = ({ parts }: ComposedRun) => takeExamples(parts.data.train, [0, 1, 2, 3, 4, 5, 6, 7]);

const bits = (tensors: ReadonlyMap<string, tf.Tensor>) =>
  new Map([...tensors].map(([name, tensor]) => [name, Buffer.from(tensor.dataSync().slice().buffer).toString('hex')]));

const inner = { steps: 2, stepSize: 0.05 };
const second = { use: 'mlp', width: 2, depth: 1 };
const norms = [
  { norm: 'linf', epsilon: 0.03 },
  { norm: 'l1', epsilon: 1 },
];
const objectives: Record<string, Record<string, unknown>> = {
  natural: { use: 'natural' },
  at: { use: 'at', inner },
  trades: { use: 'trades', inner },
  mart: { use: 'mart', inner },
  st: { use: 'st', inner },
  collaborative: { use: 'collaborative', inner },
  rst: { use: 'rst', inner },
  'st-rst': { use: 'st-rst', inner },
  gairat: { use: 'gairat', inner },
  'gair-rst': { use: 'gair-rst', inner },
  bat: { use: 'bat', inner },
  'fast-at': { use: 'fast-at' },
  'n-fgsm': { use: 'n-fgsm' },
  'free-at': { use: 'free-at', replays: 2 },
  elle: { use: 'elle' },
  'elle-a': { use: 'elle-a' },
  'grad-align': { use: 'grad-align' },
  score: { use: 'score', inner },
  hat: { use: 'hat', inner, helper: second },
  mail: { use: 'mail', inner, burnIn: 0 },
  arow: { use: 'arow', inner },
  cfa: { use: 'cfa', inner },
  'cfa-trades': { use: 'cfa-trades', inner },
  ikl: { use: 'ikl' },
  ard: { use: 'ard', inner, teacher: second },
  rslad: { use: 'rslad', inner, teacher: second },
  lbgat: { use: 'lbgat', inner, companion: second },
  max: { use: 'max', norms, steps: 1 },
  avg: { use: 'avg', norms, steps: 1 },
  msd: { use: 'msd', steps: 1 },
  'e-at': { use: 'e-at', norms, steps: 1 },
  ramp: { use: 'ramp', norms, steps: 1 },
};

describe('one training step', () => {
  it('puts weights back bit for bit after they were perturbed', async () => {
    const run = await composed();
    const { model } = run.parts;
    const before = bits(model.parameters);
    const offsets = new Map([...model.parameters].map(([name, p]) => [name, tf.fill(p.shape, 1e-3 / 3)]));
    atPerturbedWeights(model, offsets, () => expect(bits(model.parameters)).not.toEqual(before));
    expect(bits(model.parameters)).toEqual(before);
    expect(() =>
      atPerturbedWeights(model, offsets, () => {
        throw new Error('in between');
      }),
    ).toThrow('in between');
    expect(bits(model.parameters)).toEqual(before);
  });

  it('takes gradient and coupled weight decay at the perturbed weights', async () => {
    const run = await composed({ optimizer: { use: 'sgd', learningRate: 0.1, weightDecay: 0.5 } });
    const batch = batchOf(run);
    const { model } = run.parts;
    const offset = (name: string) => (name === 'fc.bias' ? 10 : 0);
    const weightPerturber = {
      perturb: () => new Map([...model.parameters].map(([name, p]) => [name, tf.fill(p.shape, offset(name))])),
    };
    const before = bits(model.parameters);
    const withDecay = stepGradients([batch], { ...setupOf(run), weightPerturber });
    const plain = createSgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0, nesterov: false });
    const withoutDecay = stepGradients([batch], { ...setupOf(run), weightPerturber, optimizer: plain });
    const bias = [...model.parameters.keys()].find((name) => name === 'fc.bias')!;
    const [a, b] = [withDecay, withoutDecay].map(({ gradients }) => gradients.get(bias)!.dataSync());
    const weights = model.parameters.get(bias)!.dataSync();
    weights.forEach((w, i) => expect(a![i]! - b![i]!).toBeCloseTo(0.5 * (w + 10), 2));
    expect(bits(model.parameters)).toEqual(before);
  });

  it('updates running statistics once per outer pass, in the declared order', async () => {
    const statisticsAfter = async (objective: object) => {
      const run = await composed({ objective });
      const outcome = trainStep(batchOf(run), setupOf(run));
      // replay by hand: 0.9 old + 0.1 batch, pass by pass
      const expected = new Map([...run.parts.model.statistics].map(([name, v]) => [name, v.shape]));
      expect(expected.size).toBeGreaterThan(0);
      const roles = run.parts.objective.passes.map(({ role }) => role);
      const layer = [...outcome.loss.statistics[0]!.get(roles[0]!)!.keys()][0]!;
      const means = roles.map((role) => outcome.loss.statistics[0]!.get(role)!.get(layer)!.mean.dataSync()[0]!);
      const replayed = means.reduce((running, mean) => 0.9 * running + 0.1 * mean, 0);
      const found = run.parts.model.statistics.get(`${layer}.running_mean`)!.dataSync()[0]!;
      disposeOutcome(outcome);
      return { roles, replayed, found };
    };
    const trades = await statisticsAfter({ use: 'trades', inner });
    expect(trades.roles).toEqual(['natural', 'adversarial', 'natural']);
    expect(trades.found).toBeCloseTo(trades.replayed, 6);
    const at = await statisticsAfter({ use: 'at', inner });
    expect(at.roles).toEqual(['adversarial']);
    expect(at.found).toBeCloseTo(at.replayed, 6);
  });

  it.each(Object.entries(objectives))(
    'keeps the number of live tensors over 100 steps of %s',
    async (name, objective) => {
      const once = 'inner' in objective ? { ...objective, inner: { ...inner, steps: 1 } } : objective;
      // BatchNorm and weight perturbation with two of them; the others on a net that takes less time
      const whole = ['trades', 'st'].includes(name);
      const rest = whole ? { weightPerturber: 'awp' } : { model: { use: 'mlp', width: 2, depth: 1 } };
      const run = await composed({ objective: once, ...rest });
      const batch = takeExamples(run.parts.data.train, [0, 1]);
      const step = (i: number) => disposeOutcome(trainStep(batch, setupOf(run, i)));
      step(0); // the first step makes the optimizer's slots
      const before = tf.memory().numTensors;
      for (let i = 1; i <= 100; i++) step(i);
      expect(tf.memory().numTensors).toBe(before);
      disposeBatch(batch);
    },
  );

  it('has a case above for every objective there is', () => {
    const special = ['compose', 'two-neighbours']; // made of the others
    const known = registry.list('objective').map(({ name }) => name);
    expect(known.filter((name) => !special.includes(name)).sort()).toEqual(Object.keys(objectives).sort());
  });
});
