import type { Random } from '../../random.js';

/** How a bump falls off from its centre and how it is scaled: exponent and unit norm of the l2 and the l1 attack. */
export const bumpShapes = { l2: { exponent: 2, order: 2 }, l1: { exponent: 4, order: 1 } } as const;
export type BumpNorm = keyof typeof bumpShapes;

const norm = (values: Float64Array, order: 1 | 2): number =>
  order === 1
    ? values.reduce((sum, value) => sum + Math.abs(value), 0)
    : Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** Nested centred rectangles of weight `1 / (k + 1)^exponent`, cut at the borders, scaled to unit norm; row-major. */
export function bump(rows: number, columns: number, name: BumpNorm): Float64Array {
  const { exponent, order } = bumpShapes[name];
  const values = new Float64Array(rows * columns);
  const [middleRow, middleColumn] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const ring = Math.max(Math.abs(r - middleRow), Math.abs(c - middleColumn));
      for (let k = ring; k <= Math.max(middleRow, middleColumn); k++)
        values[r * columns + c]! += 1 / (k + 1) ** exponent;
    }
  const length = norm(values, order);
  return values.map((value) => value / length);
}

/** Two opposite bumps, one over the other (or, by a draw, side by side), scaled to unit norm; `side * side`, row-major. */
export function doubleBump(side: number, name: BumpNorm, random: Random): Float64Array {
  const upperRows = Math.floor(side / 2);
  const upper = bump(upperRows, side, name);
  const lower = bump(side - upperRows, side, name);
  const values = Float64Array.from([...upper, ...lower.map((value) => -value)]);
  const length = norm(values, bumpShapes[name].order);
  const transposed = random.next() > 0.5;
  return values.map((_, i) => {
    const [r, c] = [Math.floor(i / side), i % side];
    return values[transposed ? c * side + r : i]! / length;
  });
}
