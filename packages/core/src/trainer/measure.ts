import * as tf from '../tensor/index.js';
import { unlabelled, type Batch } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import { currentUpdates } from '../engine/updates.js';
import { termNames, type Objective } from '../hooks/index.js';
import { crossEntropy } from '../loss/index.js';
import { trainedParameters } from './companions.js';
import type { EpochSums } from './snapshot.js';
import type { Share } from './share.js';
import type { StepOutcome } from './step.js';

/** What one step is reported by: its loss, its terms, and diagnostics of the outer passes. */
export interface StepNumbers {
  readonly loss: number;
  readonly terms: Record<string, number>;
  /**
   * Per role: `<role>.crossEntropy`, `<role>.accuracy`, and `<role>.collaborative`, the share of points that are easier than the image.
   * Means over the examples with a label; nothing, where none has one.
   */
  readonly train: Record<string, number>;
  /** Examples with a label. */
  readonly labelled: number;
  /** Sum of each parameter after the update: finite only if all of its weights are. */
  readonly weights: Record<string, number>;
}

type EpochMeans = Omit<StepNumbers, 'weights'>;

/** Diagnostics of the outer passes, from logits that exist anyway, as one tensor. */
function diagnostics(
  outcome: StepOutcome,
  batch: Batch,
): { names: string[]; values: tf.Tensor[]; labelled: tf.Tensor } {
  const names: string[] = [];
  const values: tf.Tensor1D[] = [];
  const natural = outcome.loss.logits.get('natural');
  const naturalLoss = natural && crossEntropy(natural, batch.labels);
  // an example without a label is neither right nor wrong
  const hasLabel = tf.cast(tf.greater(batch.labels, unlabelled), 'float32') as tf.Tensor1D;
  for (const [role, logits] of outcome.loss.logits) {
    const loss = crossEntropy(logits, batch.labels);
    names.push(`${role}.crossEntropy`, `${role}.accuracy`);
    values.push(loss, tf.cast(tf.equal(tf.argMax(logits, 1), batch.labels), 'float32') as tf.Tensor1D);
    if (role === 'natural' || !naturalLoss) continue;
    names.push(`${role}.collaborative`);
    values.push(tf.cast(tf.less(loss, naturalLoss), 'float32') as tf.Tensor1D);
  }
  return { names, values: values.map((value) => tf.mul(value, hasLabel)), labelled: tf.sum(hasLabel) };
}

/** Reads a step's numbers from the engine, with one transfer. Of a share, they are those of the whole batch. */
export async function readNumbers(
  outcome: StepOutcome,
  of: { batch: Batch; objective: Objective; model: Classifier; share?: Share },
): Promise<StepNumbers> {
  const { batch, objective, share } = of;
  const parameters = trainedParameters(of);
  const { names, all } = tf.tidy(() => {
    const { names, values, labelled } = diagnostics(outcome, batch);
    const weights = currentUpdates().sums([...parameters.values()]);
    const means = tf.stack([...values.map((value) => tf.mean(value)), labelled]);
    return { names, all: tf.concat([outcome.loss.values, means, weights]) };
  });
  const numbers = [...(await all.data())];
  all.dispose();
  const take = (keys: readonly string[]) => {
    const values = numbers.splice(0, keys.length);
    return Object.fromEntries(keys.map((key, i) => [key, values[i]!]));
  };
  const [loss, terms, overAll] = [numbers.shift()!, take(termNames(objective)), take(names)];
  const own = { examples: batch.labels.size, labelled: numbers.shift()!, overAll };
  const { examples, labelled, overAll: means } = share ? overRanks(own, share) : own;
  const overLabelled = Object.entries(means).map(([name, value]) => [name, value * (examples / labelled)]);
  return {
    loss,
    terms,
    train: labelled === 0 ? {} : (Object.fromEntries(overLabelled) as Record<string, number>),
    labelled,
    weights: take([...parameters.keys()]),
  };
}

interface Measured {
  readonly examples: number;
  readonly labelled: number;
  /** Means over all examples. */
  readonly overAll: Readonly<Record<string, number>>;
}

/** The same of the examples of all ranks. */
function overRanks({ examples, labelled, overAll }: Measured, { collective, total, counts }: Share): Measured {
  const names = Object.keys(overAll);
  const sums = new Float32Array(1 + names.length);
  if (counts) sums.set([labelled, ...names.map((name) => overAll[name]! * examples)]);
  collective.allReduce(sums);
  const means = names.map((name, i) => [name, sums[1 + i]! / total] as const);
  return { examples: total, labelled: sums[0]!, overAll: Object.fromEntries(means) };
}

/** How many of the examples have no label; not there while all have one. */
const withoutLabel = 'unlabelled';

export function addToSums(sums: EpochSums, numbers: EpochMeans, examples: number): void {
  const add = (name: string, value: number) => void (sums.sums[name] = (sums.sums[name] ?? 0) + value);
  const overAll = { loss: numbers.loss, ...prefixed('terms', numbers.terms) };
  for (const [name, value] of Object.entries(overAll)) add(name, value * examples);
  for (const [name, value] of Object.entries(prefixed('train', numbers.train))) add(name, value * numbers.labelled);
  sums.examples += examples;
  if (numbers.labelled < examples) add(withoutLabel, examples - numbers.labelled);
}

const prefixed = (prefix: string, values: Record<string, number>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}:${name}`, value]));

/** Means over the epoch, rounded to 9 significant digits so that files stay readable. */
export function epochMeans({ examples, sums }: EpochSums): Omit<EpochMeans, 'labelled'> {
  const mean = (value: number, count = examples) => Number((value / count).toPrecision(9));
  const part = (prefix: string, count?: number) =>
    Object.fromEntries(
      Object.entries(sums)
        .filter(([name]) => name.startsWith(`${prefix}:`))
        .map(([name, value]) => [name.slice(prefix.length + 1), mean(value, count)]),
    );
  return {
    loss: mean(sums['loss'] ?? 0),
    terms: part('terms'),
    train: part('train', examples - (sums[withoutLabel] ?? 0)),
  };
}
