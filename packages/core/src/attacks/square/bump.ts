import type { Random } from '../../random.js';
import type { Norm } from '../../threat/index.js';

/** How steeply a bump falls off from its centre in the l2 and the l1 attack, by the order of the norm. */
const exponentOf = (order: number): number => (order === 1 ? 4 : 2);

/** Nested centred rectangles of weight `1 / (k + 1)^exponent`, cut at the borders, scaled to unit norm; row-major. */
export function bump(rows: number, columns: number, norm: Norm): Float64Array {
  const exponent = exponentOf(norm.order);
  const values = new Float64Array(rows * columns);
  const [middleRow, middleColumn] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const ring = Math.max(Math.abs(r - middleRow), Math.abs(c - middleColumn));
      for (let k = ring; k <= Math.max(middleRow, middleColumn); k++)
        values[r * columns + c]! += 1 / (k + 1) ** exponent;
    }
  const length = norm.lengthOf(values);
  return values.map((value) => value / length);
}

/** Two opposite bumps, one over the other (or, by a draw, side by side), scaled to unit norm; `side * side`, row-major. */
export function doubleBump(side: number, norm: Norm, random: Random): Float64Array {
  const upperRows = Math.floor(side / 2);
  const upper = bump(upperRows, side, norm);
  const lower = bump(side - upperRows, side, norm);
  const values = Float64Array.from([...upper, ...lower.map((value) => -value)]);
  const length = norm.lengthOf(values);
  const transposed = random.next() > 0.5;
  return values.map((_, i) => {
    const [r, c] = [Math.floor(i / side), i % side];
    return values[transposed ? c * side + r : i]! / length;
  });
}
