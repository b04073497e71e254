import type { EpochMetrics } from '@bulwark/core';

type Numbers = Readonly<Record<string, number>>;

const prefixed = (prefix: string, values: Numbers = {}): [string, number][] =>
  Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]);

/** An epoch's numbers under one name each: `epoch/loss`, `terms/classification`, `validation/pgd-20`, `train/natural.accuracy`. */
export const epochScalars = ({ loss, learningRate, terms, train, validation }: EpochMetrics): Numbers =>
  Object.fromEntries([
    ['epoch/loss', loss],
    ['epoch/learningRate', learningRate],
    ...prefixed('terms', terms),
    ...prefixed('train', train),
    ...prefixed('validation', validation),
  ]);

/** A step's numbers: `step/loss`, `step/terms.classification`, ... */
export const stepScalars = (step: {
  readonly loss: number;
  readonly learningRate: number;
  readonly terms: Numbers;
  readonly examples: number;
  readonly seconds: number;
}): Numbers => ({
  'step/loss': step.loss,
  'step/learningRate': step.learningRate,
  'step/imagesPerSecond': step.examples / step.seconds,
  ...Object.fromEntries(Object.entries(step.terms).map(([name, value]) => [`step/terms.${name}`, value])),
});
