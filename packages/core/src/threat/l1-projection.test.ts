import { describe, expect, it } from '@jest/globals';
import { readGolden } from '../testing/golden.js';
import { projectL1InBox } from './l1-projection.js';

interface Golden {
  l1_ball_box: { x: number[][]; y: number[][]; cases: { eps: number; out: number[][] }[] };
}

describe('projection onto the l1 ball and the pixel range', () => {
  const { x, y, cases } = readGolden<Golden>('projections').l1_ball_box;

  it.each(cases.map(({ eps, out }) => [eps, out] as const))('equals the official code at epsilon %d', (eps, out) => {
    y.forEach((row, i) => {
      const z = Float64Array.from(row);
      projectL1InBox(z, x[i]!, eps);
      // the reference returns what is added to y; its float32-like guard terms leave errors near 1e-7
      z.forEach((value, j) => expect(Math.abs(value - row[j]! - out[i]![j]!)).toBeLessThan(1e-6));
    });
  });
  it('keeps the budget to the last bit and leaves a point inside alone', () => {
    const inside = Float64Array.of(0.1, -0.2, 0);
    projectL1InBox(inside, [0.5, 0.5, 0.5], 1);
    expect([...inside]).toEqual([0.1, -0.2, 0]);
    const outside = Float64Array.of(3, -4, 0.5);
    projectL1InBox(outside, [0.5, 0.5, 0.5], 0.75);
    expect([...outside].reduce((sum, value) => sum + Math.abs(value), 0)).toBeCloseTo(0.75, 12);
  });
});
