import * as tf from '@tensorflow/tfjs-core';
import { exact, ofLargest, scaled, within, type Comparison } from '../comparison.js';
import { malformed, numbersOf, type Golden } from '../golden.js';
import type { Method } from './method.js';
import type { GoldenNetwork } from './network.js';
import type { Named, RecordedStep, Values } from './record.js';

/** Tolerances for float32 of the format's README. */
export const pointTolerance = within(2e-6);
export const valueTolerance = scaled(2e-5);
export const gradientTolerance = ofLargest(1e-4);
export const stateTolerance = within(2e-5);

export interface StepComparison {
  readonly comparison: Comparison;
  readonly index: number;
  readonly recorded: RecordedStep;
  readonly method: Method;
  readonly golden: GoldenNetwork;
  /** The helper or teacher of the case. */
  readonly second: GoldenNetwork | undefined;
  readonly labels: readonly number[];
  /** Mean entropy of mixed targets, which the case's divergences from them leave out; 0 for labels. */
  readonly targetEntropy: number;
}

export const meanOf = (values: Values) => [...values].reduce((sum, value) => sum + value, 0) / values.length;

export function logitsOf({ recorded }: StepComparison, role: string): tf.Tensor2D {
  const logits = recorded.logits.get(role);
  if (!logits) throw malformed(`there are no ${role} logits`);
  return tf.tensor2d(logits.values, logits.shape as [number, number]);
}

export const fromLogits = (at: StepComparison, compute: (labels: tf.Tensor1D) => tf.Tensor): Values =>
  tf.tidy(
    () =>
      compute(tf.tensor1d([...at.labels], 'int32'))
        .dataSync()
        .slice() as Values,
  );

export type Compare = (expected: unknown, at: StepComparison, name: string) => void;

export const compareNamed =
  (
    actual: (at: StepComparison) => Named,
    names: (at: StepComparison) => ReadonlyMap<string, string>,
    tolerance: typeof exact,
  ): Compare =>
  (expected, at, name) => {
    for (const [golden, value] of Object.entries(expected as Golden)) {
      const part = `steps[${at.index}].${name}.${golden}`;
      const own = actual(at).get(names(at).get(golden) ?? '');
      at.comparison.compare({ quantity: name, part }, own, numbersOf(value, part), tolerance);
    }
  };

export const compareOne =
  (actual: (at: StepComparison, name: string) => Values | number | undefined, tolerance: typeof exact): Compare =>
  (expected, at, name) => {
    const part = `steps[${at.index}].${name}`;
    at.comparison.compare({ quantity: name, part }, actual(at, name), numbersOf(expected, part), tolerance);
  };
