import { describe, expect, it } from '@jest/globals';
import { estimate, studentTCentral, studentTQuantile } from './student-t.js';

describe("Student's t", () => {
  it.each([
    [1, 12.7062],
    [2, 4.30265],
    [3, 3.18245],
    [4, 2.77645],
    [6, 2.44691],
    [9, 2.26216],
    [30, 2.04227],
    [1000, 1.96234],
  ])('has the tabulated 95%% quantile for %i degrees of freedom', (df, quantile) => {
    expect(Math.abs(studentTQuantile(0.95, df) / quantile - 1)).toBeLessThan(3e-6);
  });

  it('holds half of its mass within 1 for one degree of freedom', () => {
    expect(studentTCentral(1, 1)).toBeCloseTo(0.5, 12);
  });

  it('gives the interval of seven seeds', () => {
    const { mean, halfWidth } = estimate([50.1, 50.4, 49.8, 50.0, 50.3, 50.2, 49.9]);
    expect(mean).toBeCloseTo(50.1, 12);
    // 2.44691 * sqrt(0.28 / 6) / sqrt(7)
    expect(halfWidth).toBeCloseTo(0.19979, 4);
  });

  it('gives no interval for one value', () => {
    expect(estimate([50])).toEqual({ mean: 50, values: [50] });
  });
});
