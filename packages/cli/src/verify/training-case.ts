import {
  createRegistry,
  defineModel,
  disposeBatch,
  type Batch,
  type HookState,
  type Plugin,
  type PluginRegistry,
} from '@bulwark/core';
import { checkObjective } from '@bulwark/core/hooks';
import { objectivePlugins } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import { createComparison, exact } from './comparison.js';
import { field, isObject, numbersOf, objectField, toTensor, type Golden } from './golden.js';
import { compareStep, compareTrace } from './training/compare.js';
import { makePlugin } from './training/make-plugin.js';
import { readMethod } from './training/method.js';
import { numbersDrawn } from './training/methods-of-norms.js';
import { goldenNetwork, secondNetwork, type GoldenNetwork } from './training/network.js';
import { createRecorder } from './training/record.js';
import { stateAtStart } from './training/state.js';
import type { CaseRunner, VerifyRow } from './types.js';
import { mixedByBox } from './units/recipe.js';

const knownFields = [
  ...['schema', 'id', 'method', 'provenance', 'dtype', 'torch', 'seed', 'net', 'hyper', 'params0', 'bnState0'],
  ...['x', 'y', 'steps', 'trace', 'margins', 'note', 'teacher', 'helper', 'delta0', 'state0', 'classWeights0'],
];

const batchOf = (json: Golden): Batch => ({
  images: toTensor<tf.Tensor4D>(field(json, 'x'), 'x'),
  labels: tf.tensor1d(numbersOf(field(json, 'y'), 'y'), 'int32'),
});

/** The registry with one more model, which is the second network of the case. */
const withSecond = (registry: PluginRegistry, second: GoldenNetwork | undefined): PluginRegistry =>
  second
    ? registry.child().register(
        defineModel({
          name: 'golden',
          summary: 'The second network of a golden case.',
          create: () => second.network,
        }) as unknown as Plugin,
      )
    : registry;

/** Runs the training steps of a case and compares everything that it records. */
export function runTrainingCase(json: Golden, given: PluginRegistry): VerifyRow[] {
  const comparison = createComparison();
  for (const name of Object.keys(json))
    if (!knownFields.includes(name)) comparison.fail(name, 'a field that this version cannot check');
  const steps = field(json, 'steps') as Golden[];
  const noiseOf = (step: Golden) => (step['noise'] ?? []) as Golden[];
  const method = readMethod(String(field(json, 'method')), objectField(json, 'hyper'), noiseOf(steps[0]!)[0]);
  const golden = goldenNetwork(json);
  const second = secondNetwork(json);
  const registry = withSecond(given, second);
  const data = {
    inputShape: golden.network.inputShape,
    classNames: Array.from({ length: golden.network.classes }, (_, i) => String(i)),
  };
  const objective = checkObjective(makePlugin(registry, 'objective', method.objective, data), method.objective.use);
  const weightPerturber = method.weightPerturber && makePlugin(registry, 'weight-perturber', method.weightPerturber);
  restoreState(objective.state, json);
  let batch = batchOf(json);
  const recorder = createRecorder({ model: golden.network, objective, weightPerturber, method });
  try {
    const passes = objective.passes.map(({ role }) => role).filter((role) => !role.includes('@'));
    if (passes.join() !== method.outerPasses.join())
      comparison.fail('outer passes', `${passes.join()} instead of ${method.outerPasses.join()}`);
    else comparison.compare({ quantity: 'outer passes' }, passes.length, method.outerPasses.length, exact);
    steps.forEach((step, index) => {
      if ('x' in step) {
        tf.dispose([batch.images, batch.labels]);
        batch = batchOf(step);
      }
      const mixed = mixedBatch(step, json, batch);
      const recorded = recorder.step({
        batch: mixed,
        noise: noiseOf(step),
        numbers: numbersDrawn(step),
        endsEpoch: 'classWeightsAfter' in step,
      });
      const labels = [...mixed.labels.dataSync()];
      const targetEntropy = entropyOf(mixed);
      if (mixed !== batch) disposeBatch(mixed);
      const at = { comparison, index, recorded, method, golden, second, labels, targetEntropy };
      compareStep(step, at);
      if (index === 0 && isObject(json['trace'])) compareTrace(json['trace'], at);
    });
  } finally {
    recorder.dispose();
    objective.dispose?.();
    golden.network.dispose();
    tf.dispose([batch.images, batch.labels]);
  }
  return comparison.rows();
}

/** The batch that the step's boxes make, one after the other; the batch itself where there are none. */
function mixedBatch(step: Golden, json: Golden, batch: Batch): Batch {
  const draws = step['cutmix'] as Golden[] | undefined;
  if (!draws) return batch;
  const numClasses = field(objectField(json, 'net'), 'numClasses');
  const pieces = draws.map((draw) => mixedByBox({ ...json, numClasses }, draw));
  const joined = (of: (piece: (typeof pieces)[0]) => Float32Array) =>
    Float32Array.from(pieces.flatMap((piece) => [...of(piece)]));
  const count = draws.length * batch.labels.size;
  return {
    images: tf.tensor4d(
      joined(({ images }) => images),
      [count, ...(batch.images.shape.slice(1) as [number, number, number])],
    ),
    labels: tf.tile(batch.labels, [draws.length]),
    targets: tf.tensor2d(
      joined(({ targets }) => targets),
      [count, Number(numClasses)],
    ),
  };
}

/** Mean entropy of target rows; 0 for labels. */
const entropyOf = ({ targets, labels }: Batch): number => {
  const terms = [...(targets?.dataSync() ?? [])].map((share) => (share > 0 ? -share * Math.log(share) : 0));
  return terms.reduce((sum, term) => sum + term, 0) / labels.size;
};

/** Puts what the case carries into its first step into the method. */
function restoreState(state: HookState | undefined, json: Golden): void {
  const tensors = stateAtStart(json);
  if (tensors.size > 0) state?.restore({ tensors, values: null });
  tf.dispose([...tensors.values()]);
}

/** Cases of training methods, `schema` = `st-training-golden/1` with `method` and `steps`. */
export const trainingCases: CaseRunner = {
  kind: 'training',
  matches: (json) => isObject(json) && String(json['schema']).startsWith('st-training-golden/') && 'steps' in json,
  run: async (json) => runTrainingCase(json as Golden, createRegistry([...objectivePlugins])),
};
