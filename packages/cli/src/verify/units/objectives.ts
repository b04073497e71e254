import {
  createRegistry,
  strongestWrongClass,
  trueClassProbability,
  type Classifier,
  type Objective,
  type PluginSpec,
} from '@bulwark/core';
import { lossGradients } from '@bulwark/core/trainer';
import { chooseSides, objectivePlugins, sideIndex, type Triplet } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import { exact, type Comparison, type Tolerance } from '../comparison.js';
import { numbersOf, toTensor, type Golden } from '../golden.js';
import { makePlugin } from '../training/make-plugin.js';
import { refuseUnknown, shiftedTolerance, unitTolerance, type UnitRunner } from './unit.js';

const roles = { Nat: 'natural', Col: 'collaborative', Adv: 'adversarial' } as const;

const discrepancies: Record<string, object> = {
  Kl: { discrepancy: 'kl' },
  Symkl: { discrepancy: 'symmetric-kl', detachTarget: true },
  SymklFull: { discrepancy: 'symmetric-kl', detachTarget: false },
  Js: { discrepancy: 'js' },
  L2: { discrepancy: 'squared-l2' },
};

/** `stSymklBeta6` and the like, as a config section. */
function specOf(name: string): PluginSpec | undefined {
  if (name === 'crossEntropyNat') return { use: 'natural' };
  const [, method, measure, beta] = /^(trades|rstTrades|mart|st)([A-Z]\w*?)?Beta([\d.]+)$/.exec(name) ?? [];
  if (!method || (measure && !discrepancies[measure])) return undefined;
  return { use: method === 'rstTrades' ? 'rst' : method, beta: Number(beta), ...(measure && discrepancies[measure]) };
}

type Logits = Readonly<Record<'natural' | 'collaborative' | 'adversarial', tf.Tensor2D>>;

/** A classifier whose parameters are its logits, one for each point: its parameter gradients are gradients at logits. */
function storedLogits(logits: Logits) {
  const points = Object.fromEntries(
    Object.entries(logits).map(([role, z]) => [role, tf.zeros([z.shape[0], 1, 1, 1]) as tf.Tensor4D]),
  );
  const parameters = new Map(Object.entries(logits).map(([role, z]) => [role, tf.variable(z)]));
  const roleOf = (images: tf.Tensor) => Object.keys(points).find((role) => points[role] === images)!;
  const forward = (images: tf.Tensor4D) => parameters.get(roleOf(images))!.clone() as tf.Tensor2D;
  const model: Classifier = {
    name: 'stored logits',
    inputShape: [1, 1, 1],
    classes: logits.natural.shape[1],
    parameters,
    statistics: new Map(),
    pass(images) {
      const found = images.map(forward);
      return {
        logits: found,
        statistics: found.map(() => new Map()),
        pullback: (dLogits) => ({
          images: [],
          parameters: new Map(dLogits.flatMap((dz, at) => (dz ? [[roleOf(images[at]!), dz.clone()] as const] : []))),
        }),
        dispose: () => tf.dispose(found),
      };
    },
    taped: forward,
    applyStatistics: () => undefined,
    dispose: () => tf.dispose([...parameters.values(), ...Object.values(points)]),
  };
  return { model, points };
}

/** Loss, term means and gradients at the logits, through the trainer's own loss. */
function evaluate(objective: Objective, logits: Logits, labels: tf.Tensor1D) {
  const { model, points } = storedLogits(logits);
  const batch = { images: points['natural']!, labels };
  const result = lossGradients({ model, objective, batch, crafted: { points }, place: { epoch: 0, epochs: 1 } });
  const [loss, ...terms] = [...result.values.dataSync()];
  const gradients = new Map([...result.gradients].map(([role, gradient]) => [role, [...gradient.dataSync()]]));
  tf.dispose([result.values, ...result.gradients.values(), ...result.logits.values()]);
  model.dispose();
  return { loss: loss!, terms, gradients };
}

interface Entry {
  readonly comparison: Comparison;
  readonly name: string;
  readonly place: string;
  readonly tolerance: Tolerance;
  readonly logits: Logits;
  readonly labels: tf.Tensor1D;
}

const indices = (tensor: tf.Tensor) => [...tensor.dataSync()];

/** What the authors' code reports beside its loss. */
function facts(field: string, terms: readonly number[], { logits, labels }: Entry): number[] | number | undefined {
  const triplet: Triplet<tf.Tensor2D> = [logits.natural, logits.collaborative, logits.adversarial];
  switch (field) {
    case 'natural':
    case 'boostedCrossEntropy':
      return terms[0];
    case 'regularizer':
    case 'weightedKl':
      return terms[1];
    case 'wrongClass':
      return indices(strongestWrongClass(logits.adversarial, labels));
    case 'upper':
    case 'lower':
      return indices(sideIndex(chooseSides(triplet, labels)[field]));
    case 'trueClassProbability':
      return triplet.flatMap((z) => indices(trueClassProbability(z, labels)));
    default:
      return undefined;
  }
}

function compareEntry(expected: Golden, entry: Entry): void {
  const { comparison, name, place, logits, labels, tolerance } = entry;
  const spec = specOf(name);
  if (!spec) return comparison.fail(name, 'not a known objective');
  const classNames = Array.from({ length: logits.natural.shape[1] }, (_, i) => String(i));
  const data = { inputShape: [1, 1, 1] as const, classNames };
  const objective = makePlugin(createRegistry([...objectivePlugins]), 'objective', spec, data);
  const { loss, terms, gradients } = evaluate(objective, logits, labels);
  if (expected['selectionStableInFloat32'] === false || expected['tiedTopClasses'] === true)
    return comparison.finite(`${name} (no exact value)`, [loss, ...terms, ...[...gradients.values()].flat()]);
  for (const [field, value] of Object.entries(expected)) {
    const part = `${place}.${name}.${field}`;
    if (field === 'selectionStableInFloat32' || field === 'tiedTopClasses') continue;
    const role = field.startsWith('grad') && roles[field.slice(4) as keyof typeof roles];
    const wanted = numbersOf(value, part);
    const own =
      field === 'loss' ? loss : role ? (gradients.get(role) ?? wanted.map(() => 0)) : facts(field, terms, entry);
    const isIndex = ['upper', 'lower', 'wrongClass'].includes(field);
    comparison.compare({ quantity: name, part }, own, wanted, isIndex ? exact : tolerance);
  }
}

/** `unit-objectives`: whole outer losses on stored logits, with gradients. */
export const objectivesUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['sets', 'order']);
  for (const set of json['sets'] as Golden[]) {
    refuseUnknown(comparison, set, ['nat', 'col', 'adv', 'y', 'values']);
    const place = String(set['name']);
    tf.tidy(() => {
      const of = (field: string) => toTensor<tf.Tensor2D>(set[field], field);
      const logits = { natural: of('nat'), collaborative: of('col'), adversarial: of('adv') };
      const labels = tf.tensor1d(numbersOf(set['y'], 'y'), 'int32');
      const tolerance = place === 'shifted' ? shiftedTolerance : unitTolerance;
      for (const [name, expected] of Object.entries(set['values'] as Golden))
        compareEntry(expected as Golden, { comparison, name, place, tolerance, logits, labels });
    });
  }
};
