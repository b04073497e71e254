/** Two-sided 95 % quantile of the standard normal distribution. */
const z95 = 1.959963984540054;

/** Wilson's 95 % interval of a proportion (Wilson, 1927): sensible at 0 and 1, too. `[0, 1]` where there is nothing to count. */
export function wilsonInterval(hits: number, count: number): readonly [number, number] {
  if (count === 0) return [0, 1];
  const share = hits / count;
  const z2 = z95 * z95;
  const centre = (share + z2 / (2 * count)) / (1 + z2 / count);
  const half = (z95 / (1 + z2 / count)) * Math.sqrt((share * (1 - share)) / count + z2 / (4 * count * count));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** Accuracy of the examples of one class. */
export interface ClassAccuracy {
  readonly class: number;
  readonly count: number;
  readonly clean: number;
  readonly robust: number;
}

/** Accuracies per class, of classes that occur; flags are 1 where an example is classified correctly. */
export function accuracyPerClass(
  labels: ArrayLike<number>,
  flags: { clean: ArrayLike<number>; robust: ArrayLike<number> },
  classes: number,
): ClassAccuracy[] {
  const totals = Array.from({ length: classes }, () => ({ count: 0, clean: 0, robust: 0 }));
  for (let i = 0; i < labels.length; i++) {
    const total = totals[labels[i]!]!;
    total.count++;
    total.clean += flags.clean[i]!;
    total.robust += flags.robust[i]!;
  }
  return totals.flatMap(({ count, clean, robust }, k) =>
    count === 0 ? [] : [{ class: k, count, clean: clean / count, robust: robust / count }],
  );
}

/** `matrix[label][prediction]` counts. */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  classes: number,
): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) matrix[labels[i]!]![predictions[i]!]!++;
  return matrix;
}
