/**
 * Euclidean projection of `z` onto `{ |z|_1 <= epsilon, 0 <= x + z <= 1 }`, in place and in float64:
 * `z_j = sign(z_j) max(0, min(|z_j| - t, room_j))` with the smallest t >= 0 that keeps the budget (Croce and Hein, 2021, section 3.1;
 * arXiv:2103.01208). The sum is piecewise linear and decreasing in t; Newton steps inside a bisection bracket find t exactly.
 * @param z one image's perturbation, overwritten
 * @param x the image, in [0, 1]
 */
export function projectL1InBox(z: Float64Array, x: ArrayLike<number>, epsilon: number): void {
  const n = z.length;
  const room = new Float64Array(n);
  const size = new Float64Array(n);
  let largest = 0;
  for (let j = 0; j < n; j++) {
    size[j] = Math.abs(z[j]!);
    room[j] = Math.max(0, z[j]! > 0 ? 1 - x[j]! : x[j]!);
    largest = Math.max(largest, size[j]!);
  }
  const t = threshold(size, room, { epsilon, largest });
  for (let j = 0; j < n; j++) {
    const kept = Math.max(0, Math.min(size[j]! - t, room[j]!));
    z[j] = z[j]! < 0 ? -kept : kept;
  }
}

function threshold(
  size: Float64Array,
  room: Float64Array,
  { epsilon, largest }: { epsilon: number; largest: number },
): number {
  /** Sum at t and the number of coordinates that still shrink there. */
  const at = (t: number) => {
    let [sum, moving] = [0, 0];
    for (let j = 0; j < size.length; j++) {
      const kept = size[j]! - t;
      if (kept <= 0) continue;
      if (kept > room[j]!) sum += room[j]!;
      else {
        sum += kept;
        moving++;
      }
    }
    return { sum, moving };
  };
  if (at(0).sum <= epsilon) return 0;
  let [low, high] = [0, largest];
  let t = 0;
  for (let step = 0; step < 100 && low < high; step++) {
    const { sum, moving } = at(t);
    if (sum > epsilon) low = t;
    else high = t;
    const newton = moving > 0 ? t + (sum - epsilon) / moving : NaN;
    if (newton === t) break;
    t = newton > low && newton < high ? newton : (low + high) / 2;
    if (t <= low || t >= high) break;
  }
  return t;
}
