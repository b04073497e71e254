import { expect, it } from '@jest/globals';
import { norms } from '@bulwark/core';
import { resultName } from './result-name.js';

const nameOf = (epsilon: number) => resultName('quick', { norm: norms.linf, epsilon });

it('is short for the usual radii', () => {
  expect(nameOf(8 / 255)).toBe('quick-linf-0.0314.json');
  expect([0, 0.5, 1, 12].map(nameOf)).toEqual(
    ['0.0000', '0.5000', '1.0000', '12.0000'].map((x) => `quick-linf-${x}.json`),
  );
});
it('is another for every radius, also for those that agree to four decimals', () => {
  const radii = Array.from({ length: 256 }, (_, i) => i / 255);
  const looksLike = radii.map((radius) => Number(radius.toFixed(4)));
  const near = radii.flatMap((radius) => [
    radius + 1e-7,
    radius + 2e-5,
    Number((radius + 2e-5).toFixed(5)),
    0.5 * radius,
  ]);
  const all = [...new Set([...radii, ...looksLike, ...near, 0.03141, 0.031412])];
  expect(new Set(all.map(nameOf)).size).toBe(all.length);
});
