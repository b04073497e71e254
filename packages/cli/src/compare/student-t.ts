/**
 * Share of Student's t distribution with `df` degrees of freedom between -t and t, for integer df: the finite sums of Abramowitz and
 * Stegun, 1964, 26.7.3 and 26.7.4.
 */
export function studentTCentral(t: number, df: number): number {
  const theta = Math.atan(t / Math.sqrt(df));
  const [sin, cos] = [Math.sin(theta), Math.cos(theta)];
  const odd = df % 2 === 1;
  let term = odd ? cos : 1;
  let sum = df === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k < df; k += 2) {
    term *= (cos * cos * (k - 1)) / k;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (theta + sin * sum) : sin * sum;
}

/** The t between whose negative and itself a share of the distribution lies, by bisection to full precision. */
export function studentTQuantile(share: number, df: number): number {
  let [low, high] = [0, 1];
  while (studentTCentral(high, df) < share) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (studentTCentral(middle, df) < share) low = middle;
    else high = middle;
  }
  return high;
}

/** A mean over seeds. */
export interface Estimate {
  readonly mean: number;
  /** Half the width of the 95% confidence interval; absent for a single value, which says nothing about the next. */
  readonly halfWidth?: number;
  readonly values: readonly number[];
}

/** Mean and 95% confidence interval of independent values (Student's t with n - 1 degrees of freedom). */
export function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, values };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return { mean, halfWidth: studentTQuantile(0.95, n - 1) * Math.sqrt(variance / n), values };
}
