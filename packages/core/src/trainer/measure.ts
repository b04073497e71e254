import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import { termNames, type Objective } from '../hooks/index.js';
import { crossEntropy } from '../loss/index.js';
import { trainedParameters } from './companions.js';
import type { EpochSums } from './snapshot.js';
import type { StepOutcome } from './step.js';

/** What one step is reported by: its loss, its terms, and diagnostics of the outer passes. */
export interface StepNumbers {
  readonly loss: number;
  readonly terms: Record<string, number>;
  /** Per role: `<role>.crossEntropy`, `<role>.accuracy`, and `<role>.collaborative`, the share of points that are easier than the image. */
  readonly train: Record<string, number>;
  /** Sum of each parameter after the update: finite only if all of its weights are. */
  readonly weights: Record<string, number>;
}

type EpochMeans = Omit<StepNumbers, 'weights'>;

/** Diagnostics of the outer passes, from logits that exist anyway, as one tensor. */
function diagnostics(outcome: StepOutcome, batch: Batch): { names: string[]; values: tf.Tensor1D[] } {
  const names: string[] = [];
  const values: tf.Tensor1D[] = [];
  const natural = outcome.loss.logits.get('natural');
  const naturalLoss = natural && crossEntropy(natural, batch.labels);
  for (const [role, logits] of outcome.loss.logits) {
    const loss = crossEntropy(logits, batch.labels);
    names.push(`${role}.crossEntropy`, `${role}.accuracy`);
    values.push(loss, tf.cast(tf.equal(tf.argMax(logits, 1), batch.labels), 'float32') as tf.Tensor1D);
    if (role === 'natural' || !naturalLoss) continue;
    names.push(`${role}.collaborative`);
    values.push(tf.cast(tf.less(loss, naturalLoss), 'float32') as tf.Tensor1D);
  }
  return { names, values };
}

/** Reads a step's numbers from the engine, with one transfer. */
export async function readNumbers(
  outcome: StepOutcome,
  of: { batch: Batch; objective: Objective; model: Classifier },
): Promise<StepNumbers> {
  const { batch, objective } = of;
  const parameters = trainedParameters(of);
  const { names, all } = tf.tidy(() => {
    const { names, values } = diagnostics(outcome, batch);
    const weights = [...parameters.values()].map((parameter) => tf.sum(parameter));
    const means = values.map((value) => tf.mean(value));
    return { names, all: tf.concat([outcome.loss.values, tf.stack([...means, ...weights])]) };
  });
  const numbers = [...(await all.data())];
  all.dispose();
  const take = (keys: readonly string[]) => {
    const values = numbers.splice(0, keys.length);
    return Object.fromEntries(keys.map((key, i) => [key, values[i]!]));
  };
  return {
    loss: numbers.shift()!,
    terms: take(termNames(objective)),
    train: take(names),
    weights: take([...parameters.keys()]),
  };
}

export function addToSums(sums: EpochSums, numbers: EpochMeans, examples: number): void {
  const entries = { loss: numbers.loss, ...prefixed('terms', numbers.terms), ...prefixed('train', numbers.train) };
  for (const [name, value] of Object.entries(entries)) sums.sums[name] = (sums.sums[name] ?? 0) + value * examples;
  sums.examples += examples;
}

const prefixed = (prefix: string, values: Record<string, number>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}:${name}`, value]));

/** Means over the epoch, rounded to 9 significant digits so that files stay readable. */
export function epochMeans({ examples, sums }: EpochSums): EpochMeans {
  const mean = (value: number) => Number((value / examples).toPrecision(9));
  const part = (prefix: string) =>
    Object.fromEntries(
      Object.entries(sums)
        .filter(([name]) => name.startsWith(`${prefix}:`))
        .map(([name, value]) => [name.slice(prefix.length + 1), mean(value)]),
    );
  return { loss: mean(sums['loss'] ?? 0), terms: part('terms'), train: part('train') };
}
