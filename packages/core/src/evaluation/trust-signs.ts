import * as tf from '../tensor/index.js';

/** Largest distance of normalised outputs that counts as the same answer, as in the official code. */
const sameOutput = 1e-4;
const nearlyOne = 1e-5;

/** Rows of `classes` numbers, each scaled to unit length. */
function normalised(output: ArrayLike<number>, classes: number): Float64Array {
  const result = Float64Array.from(output);
  for (let from = 0; from < result.length; from += classes) {
    const row = result.subarray(from, from + classes);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) + 1e-10;
    row.forEach((value, j) => (row[j] = value / length));
  }
  return result;
}

function largestRowDistance(a: Float64Array, b: Float64Array, classes: number): number {
  let largest = 0;
  for (let from = 0; from < a.length; from += classes) {
    let squares = 0;
    for (let j = from; j < from + classes; j++) squares += (a[j]! - b[j]!) ** 2;
    largest = Math.max(largest, Math.sqrt(squares));
  }
  return largest;
}

function correctCount(output: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  return Array.from(labels).filter((label, e) => {
    let best = 0;
    for (let j = 1; j < classes; j++) if (output[e * classes + j]! > output[e * classes + best]!) best = j;
    return best === label;
  }).length;
}

/**
 * Whether repeated answers to one batch differ: in the number of correct predictions, or in normalised logits.
 * @param outputs logits of repeated passes, each `batch * classes` numbers
 * @returns what differs, or undefined
 */
export function isRandomised(
  outputs: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
  classes: number,
): string | undefined {
  const counts = outputs.map((output) => correctCount(output, labels, classes));
  if (counts.some((count) => count !== counts[0]))
    return `correct predictions in repeated passes: ${counts.join(', ')}`;
  const rows = outputs.map((output) => normalised(output, classes));
  let distance = 0;
  rows.forEach((a, i) =>
    rows.slice(i + 1).forEach((b) => (distance = Math.max(distance, largestRowDistance(a, b, classes)))),
  );
  return distance > sameOutput
    ? `normalised outputs of repeated passes are ${distance.toExponential(1)} apart`
    : undefined;
}

/** Whether every row looks like probabilities: in [0, 1], summing to 1. */
export function looksLikeProbabilities(output: ArrayLike<number>, classes: number): boolean {
  for (let from = 0; from < output.length; from += classes) {
    let sum = 0;
    for (let j = from; j < from + classes; j++) {
      const value = output[j]!;
      if (!(value < 1 + nearlyOne && value > -nearlyOne)) return false;
      sum += value;
    }
    if (Math.abs(sum - 1) >= nearlyOne) return false;
  }
  return true;
}

/**
 * Whether a plain forward pass asks the engine for gradients. Every gradient function of TensorFlow.js ends in `engine().gradients`;
 * unlike the counters of the official code, one hit does not stick to later models.
 */
export function callsGradients(forward: () => void): boolean {
  const engine = tf.engine() as unknown as { gradients: (...args: unknown[]) => unknown };
  const original = engine.gradients;
  let called = false;
  engine.gradients = function (this: unknown, ...args) {
    called = true;
    return original.apply(this, args);
  };
  try {
    forward();
  } finally {
    engine.gradients = original;
  }
  return called;
}
