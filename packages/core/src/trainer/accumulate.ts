import * as tf from '../tensor/index.js';
import { drawnRows, type Batch } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import type { BatchStatistics, Gradients } from '../network/index.js';
import type { Crafted, Objective, Reduction, Role } from '../hooks/index.js';
import { labelledScaleOf, lossGradients, type Place } from './gradients.js';
import { partCuts, type Share } from './share.js';
import { gradientSums } from './summed.js';

/** A part of a batch with its neighbours. */
export interface Part {
  readonly batch: Batch;
  readonly crafted: Crafted;
}

/** What `lossGradients` gives for one batch, summed up over its parts. All tensors are the caller's. */
export interface BatchGradients {
  /** The loss, then each term's mean, `[1 + terms]`: means over the whole batch. */
  readonly values: tf.Tensor1D;
  readonly gradients: Gradients;
  /** Batch statistics of each outer pass, part by part. */
  readonly statistics: readonly ReadonlyMap<Role, BatchStatistics>[];
  /** Logits `[batch, classes]` of each outer pass. */
  readonly logits: ReadonlyMap<Role, tf.Tensor2D>;
  /** Gradients of the loss with respect to the points that the objective asks for, `[batch, h, w, c]`. */
  readonly images: ReadonlyMap<Role, tf.Tensor4D>;
}

/**
 * Cuts a batch into micro-batches whose sizes differ by one at most, in order; fewer if there are not enough examples. The slices are
 * the caller's.
 */
export const splitBatch = (batch: Batch, parts: number): Batch[] =>
  cutBatch(batch, partCuts(batch.labels.shape[0], parts));

/** The same at given positions: 0, ..., the number of examples. */
export function cutBatch(batch: Batch, cuts: readonly number[]): Batch[] {
  const { view } = batch;
  return cuts.slice(1).map((to, i) => {
    const [from, size] = [cuts[i]!, to - cuts[i]!];
    return {
      images: tf.slice(batch.images, [from, 0, 0, 0], [size, -1, -1, -1]),
      labels: tf.slice(batch.labels, [from], [size]),
      ...(batch.targets && { targets: tf.slice(batch.targets, [from, 0], [size, -1]) }),
      ...(batch.indices && { indices: batch.indices.slice(from, to) }),
      ...(batch.drawn && { drawn: drawnRows(batch.drawn, from, to) }),
      ...(view && { view: (number) => tf.tidy(() => tf.slice(view(number), [from, 0, 0, 0], [size, -1, -1, -1])) }),
    };
  });
}

/** `weight * b` added to `a`; both are given up. */
function plus<T extends tf.Tensor>(a: T | undefined, b: T, weight: number): T {
  const sum = tf.tidy(() => (a ? tf.add(a, tf.mul(b, weight)) : tf.mul(b, weight))) as T;
  tf.dispose(a ? [a, b] : [b]);
  return sum;
}

/** Joins tensors along the batch and gives the pieces up. */
export function joined<T extends tf.Tensor>(pieces: readonly T[]): T {
  if (pieces.length === 1) return pieces[0]!;
  const whole = tf.concat([...pieces], 0);
  tf.dispose([...pieces]);
  return whole as T;
}

/**
 * Differentiates the loss of a whole batch, one part at a time: the mean of the parts' gradients, weighted by their examples. That is
 * the gradient of the whole batch, except that BatchNorm normalises each part by itself. With one part nothing is added or scaled.
 * With a share, value and gradients are those of all ranks together; statistics, logits and gradients of images those of the own parts.
 */
export function batchGradients(options: {
  model: Classifier;
  objective: Objective;
  parts: readonly Part[];
  place: Place;
  reduction?: Reduction;
  share?: Share;
}): BatchGradients {
  const { parts, share, ...rest } = options;
  const count = share?.total ?? parts.reduce((sum, { batch }) => sum + batch.labels.shape[0], 0);
  const labelledScale = labelledScaleOf(share ? [share.labels] : parts.map(({ batch }) => batch.labels));
  const [first] = parts;
  if (parts.length === 1 && !share) {
    const { statistics, ...loss } = lossGradients({ ...rest, ...first!, labelledScale });
    labelledScale.dispose();
    return { ...loss, statistics: [statistics] };
  }

  let values: tf.Tensor1D | undefined;
  const gradients = new Map<string, tf.Tensor>();
  const statistics: ReadonlyMap<Role, BatchStatistics>[] = [];
  const logits = new Map<Role, tf.Tensor2D[]>();
  const images = new Map<Role, tf.Tensor4D[]>();
  const sums = share && gradientSums(share);
  // second derivatives change gradients that were found before
  const early = sums && share.sums.bucketBytes < Infinity && !rest.objective.secondOrder?.length;
  for (const part of parts) {
    const portion = part.batch.labels.shape[0] / count;
    // where gradients cross over to other ranks on their way back, they are those of the mean over the whole batch from the start
    const [scale, weight] = share?.ranks ? [portion, 1] : [undefined, portion];
    const whole = (name: string, gradient: tf.Tensor) => plus(gradients.get(name), gradient, weight);
    const last = (name: string, gradient: tf.Tensor) => {
      const sum = whole(name, gradient);
      gradients.delete(name);
      sums!.take(name, sum);
    };
    const take = early && part === parts.at(-1) ? last : undefined;
    const loss = lossGradients({ ...rest, ...part, labelledScale, scale, take });
    values = plus(values, loss.values, portion);
    for (const [name, gradient] of loss.gradients) gradients.set(name, whole(name, gradient));
    statistics.push(loss.statistics);
    for (const [role, z] of loss.logits) logits.set(role, [...(logits.get(role) ?? []), z]);
    for (const [role, g] of loss.images) images.set(role, [...(images.get(role) ?? []), plus(undefined, g, weight)]);
  }
  labelledScale.dispose();
  return {
    ...overRanks({ values: values!, gradients }, sums),
    statistics,
    logits: new Map([...logits].map(([role, pieces]) => [role, joined(pieces)])),
    images: new Map([...images].map(([role, pieces]) => [role, joined(pieces)])),
  };
}

/** Value and gradients of all ranks; those that are given are given up. */
function overRanks(
  own: { values: tf.Tensor1D; gradients: Gradients },
  sums: ReturnType<typeof gradientSums> | undefined,
): { values: tf.Tensor1D; gradients: Gradients } {
  if (!sums) return own;
  for (const [name, gradient] of own.gradients) sums.take(name, gradient);
  sums.take('', own.values); // no parameter has this name
  const all = new Map(sums.finish());
  const values = all.get('') as tf.Tensor1D;
  all.delete('');
  return { values, gradients: all };
}

/** The neighbours of a whole batch from those of its parts, which are given up. */
export function joinedCrafted(parts: readonly Crafted[]): Crafted {
  const [first] = parts;
  if (parts.length === 1) return first!;
  const join = <T extends tf.Tensor>(records: readonly Readonly<Record<string, T>>[]) =>
    Object.fromEntries(Object.keys(records[0]!).map((name) => [name, joined(records.map((record) => record[name]!))]));
  const points = join(parts.map((crafted) => crafted.points));
  return { points, ...(first!.facts && { facts: join(parts.map((crafted) => crafted.facts!)) }) };
}
