import type { NormName } from './norm.js';

/** Coefficients below this do not move a coordinate in the l2 and l1 projections, as in the official code. */
export const negligible = 1e-8;

/** The largest move of coordinate j that lowers `<w, t>`: to 0 where w_j > 0, to 1 where w_j < 0. */
const roomOf = (t: number, w: number): number => (w > 0 ? t : 1 - t);

/**
 * Solves `sum_j weight_j min(lambda speed_j, room_j) = c` for lambda: with the coordinates that are not at their face yet, as if none
 * would reach it; those that do are taken out, which makes lambda grow, until nothing changes.
 */
function solve(weight: Float64Array, speed: Float64Array, { room, c }: { room: Float64Array; c: number }): number {
  const free = new Int32Array(weight.length);
  let [count, left, slope] = [0, c, 0];
  for (let j = 0; j < weight.length; j++)
    if (weight[j]! > 0) {
      free[count++] = j;
      slope += weight[j]! * speed[j]!;
    }
  while (count > 0) {
    const lambda = left / slope;
    let kept = 0;
    slope = 0;
    for (let k = 0; k < count; k++) {
      const j = free[k]!;
      if (lambda * speed[j]! >= room[j]!) left -= weight[j]! * room[j]!;
      else {
        free[kept++] = j;
        slope += weight[j]! * speed[j]!;
      }
    }
    if (kept === count) return lambda;
    count = kept;
  }
  return Number.MAX_VALUE;
}

/** l1: spends the budget on the largest coefficients first. Writes moves (all at least 0) into `move`. */
function greedy(weight: Float64Array, room: Float64Array, { c, move }: { c: number; move: Float64Array }): void {
  const order = [...weight.keys()].filter((j) => weight[j]! > 0).sort((i, j) => weight[j]! - weight[i]! || i - j);
  let left = c;
  for (const j of order) {
    if (left <= 0) break;
    move[j] = Math.min(room[j]!, left / weight[j]!);
    left -= move[j]! * weight[j]!;
  }
}

/** A point t in [0, 1], the normal w of a hyperplane, and `c = <w, t> - b`. */
export interface SeenFrom {
  readonly t: ArrayLike<number>;
  readonly w: ArrayLike<number>;
  readonly c: number;
}

/** The least displacement of one point onto a hyperplane within the pixel range, in float64; see `projectOnHyperplane`. */
export function leastMove({ t, w, c: gap }: SeenFrom, norm: NormName): Float64Array {
  const n = t.length;
  const flip = gap < 0 ? -1 : 1;
  const c = Math.abs(gap);
  const ignored = norm === 'linf' ? 0 : negligible;
  const [weight, room, move] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  let reach = 0;
  for (let j = 0; j < n; j++) {
    const size = Math.abs(w[j]!);
    if (size <= ignored) continue;
    weight[j] = size;
    room[j] = roomOf(t[j]!, flip * w[j]!);
    reach += size * room[j]!;
  }
  if (reach <= c) move.set(room);
  else if (norm === 'l1') greedy(weight, room, { c, move });
  else {
    const speed = norm === 'l2' ? weight : weight.map((value) => (value > 0 ? 1 : 0));
    const lambda = solve(weight, speed, { room, c });
    for (let j = 0; j < n; j++) move[j] = Math.min(lambda * speed[j]!, room[j]!);
  }
  for (let j = 0; j < n; j++) if (flip * w[j]! > 0) move[j] = -move[j]!;
  return move;
}
