import { checkObjective, createRegistry, type PluginRegistry } from '@bulwark/core';
import { objectivePlugins } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import { createComparison, exact } from './comparison.js';
import { field, isObject, numbersOf, objectField, toTensor, type Golden } from './golden.js';
import { compareStep, compareTrace } from './training/compare.js';
import { makePlugin } from './training/make-plugin.js';
import { readMethod } from './training/method.js';
import { goldenNetwork } from './training/network.js';
import { createRecorder } from './training/record.js';
import type { CaseRunner, VerifyRow } from './types.js';

const knownFields = [
  ...['schema', 'id', 'method', 'provenance', 'dtype', 'torch', 'seed', 'net', 'hyper', 'params0', 'bnState0'],
  ...['x', 'y', 'steps', 'trace', 'margins'],
];

/** Runs the training steps of a case and compares everything that it records. */
export function runTrainingCase(json: Golden, registry: PluginRegistry): VerifyRow[] {
  const comparison = createComparison();
  for (const name of Object.keys(json))
    if (!knownFields.includes(name)) comparison.fail(name, 'a field that this version cannot check');
  const steps = field(json, 'steps') as Golden[];
  const noiseOf = (step: Golden) => (step['noise'] ?? []) as Golden[];
  const method = readMethod(String(field(json, 'method')), objectField(json, 'hyper'), noiseOf(steps[0]!)[0]);
  const objective = checkObjective(makePlugin(registry, 'objective', method.objective), method.objective.use);
  const weightPerturber = method.weightPerturber && makePlugin(registry, 'weight-perturber', method.weightPerturber);
  const golden = goldenNetwork(json);
  const batch = {
    images: toTensor<tf.Tensor4D>(field(json, 'x'), 'x'),
    labels: tf.tensor1d(numbersOf(field(json, 'y'), 'y'), 'int32'),
  };
  const recorder = createRecorder({ model: golden.network, batch, objective, weightPerturber, method });
  try {
    const passes = objective.passes.map(({ role }) => role);
    if (passes.join() !== method.outerPasses.join())
      comparison.fail('outer passes', `${passes.join()} instead of ${method.outerPasses.join()}`);
    else comparison.compare({ quantity: 'outer passes' }, passes.length, method.outerPasses.length, exact);
    steps.forEach((step, index) => {
      const recorded = recorder.step(noiseOf(step));
      const at = { comparison, index, recorded, method, golden, labels: numbersOf(json['y'], 'y') };
      compareStep(step, at);
      if (index === 0 && isObject(json['trace'])) compareTrace(json['trace'], at);
    });
  } finally {
    recorder.dispose();
    golden.network.dispose();
    tf.dispose([batch.images, batch.labels]);
  }
  return comparison.rows();
}

/** Cases of training methods, `schema` = `st-training-golden/1` with `method` and `steps`. */
export const trainingCases: CaseRunner = {
  kind: 'training',
  matches: (json) => isObject(json) && String(json['schema']).startsWith('st-training-golden/') && 'steps' in json,
  run: async (json) => runTrainingCase(json as Golden, createRegistry([...objectivePlugins])),
};
