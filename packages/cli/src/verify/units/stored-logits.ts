import {
  createRegistry,
  defineModel,
  logitGradients,
  oneHotLabels,
  type Classifier,
  type Objective,
  type Plugin,
  type PluginSpec,
  type Role,
  type Views,
} from '@bulwark/core';
import { weightOf } from '@bulwark/core/hooks';
import { objectivePlugins } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import type { Comparison, Tolerance } from '../comparison.js';
import { numbersOf, type Golden } from '../golden.js';
import { makePlugin } from '../training/make-plugin.js';

/** Logits `[batch, classes]` by role, and what else a loss reads. */
export interface Stored {
  readonly logits: ReadonlyMap<Role, tf.Tensor2D>;
  readonly labels: tf.Tensor1D;
  readonly facts?: Readonly<Record<string, tf.Tensor>>;
}

/** A loss of stored logits, a scalar. */
export type StoredLoss = (views: Views) => tf.Tensor;

/** A loss and its gradients with respect to the logits of each role, zeros where it does not depend on them. */
export function lossAndGradients(stored: Stored, loss: StoredLoss): { loss: number; gradients: Map<Role, number[]> } {
  const { logits, labels, facts = {} } = stored;
  const [roles, given] = [[...logits.keys()], [...logits.values()]];
  const classes = given[0]!.shape[1];
  const images = tf.zeros<tf.Rank.R4>([labels.size, 1, 1, 1]);
  const { value, dLogits } = logitGradients(given, (...z) =>
    loss({
      ...{ batch: { images, labels }, classes, y: oneHotLabels(labels, classes), epoch: 0, epochs: 1, progress: 0 },
      z: Object.fromEntries(roles.map((role, at) => [role, z[at]!])) as unknown as Views['z'],
      features: (role, layer) => {
        throw new Error(`no stored features of ${role} at ${layer}`);
      },
      fact: (name) => facts[name]!,
    }),
  );
  const gradientOf = (at: number) => [...(dLogits[at] ?? tf.zerosLike(given[at]!)).dataSync()];
  return { loss: value.dataSync()[0]!, gradients: new Map(roles.map((role, at) => [role, gradientOf(at)])) };
}

/** The outer loss of an objective, all examples labelled. */
export const lossOf =
  (objective: Objective): StoredLoss =>
  (views) =>
    tf.addN(objective.terms.map((term) => tf.mul(weightOf(term, views), tf.mean(term.values(views)))));

/** An objective without a network: a second model that it asks for is never passed. */
export function objectiveOn(classes: number, spec: PluginSpec): Objective {
  const absent = { name: 'absent', inputShape: [1, 1, 1], classes, dispose: () => undefined } as unknown as Classifier;
  const golden = defineModel({ name: 'golden', summary: 'A model that is never passed.', create: () => absent });
  const registry = createRegistry([...objectivePlugins, golden as unknown as Plugin]);
  const classNames = Array.from({ length: classes }, (_, i) => String(i));
  return makePlugin(registry, 'objective', spec, { inputShape: [1, 1, 1], classNames });
}

/** Compares a loss and the gradients that a file names, by the role of each. */
export function compareStored(
  comparison: Comparison,
  at: { quantity: string; place: string; tolerance: Tolerance },
  found: ReturnType<typeof lossAndGradients>,
  expected: { loss: unknown; gradients: Readonly<Record<string, unknown>> },
): void {
  const { quantity, place, tolerance } = at;
  const part = `${place}.${quantity}`;
  comparison.compare({ quantity, part: `${part}.loss` }, found.loss, numbersOf(expected.loss, part), tolerance);
  for (const [role, gradient] of Object.entries(expected.gradients))
    comparison.compare(
      { quantity, part: `${part}.${role}` },
      found.gradients.get(role),
      numbersOf(gradient, part),
      tolerance,
    );
}

/** Its gradients alone are finite, and the loss. */
export const allFinite = ({ loss, gradients }: ReturnType<typeof lossAndGradients>): number[] => [
  loss,
  ...[...gradients.values()].flat(),
];

/** The fields of a file entry that are there. */
export const present = (entry: Golden, names: Readonly<Record<string, Role>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(names).flatMap(([field, role]) => (field in entry ? [[role, entry[field]]] : [])));
