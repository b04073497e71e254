/** A checkpoint: how many iterations were made before it, and how many since the previous one. */
export interface Checkpoint {
  readonly after: number;
  readonly window: number;
}

/**
 * When APGD looks back (Croce and Hein, 2020, section 3.2): first after 22 % of the iterations, then in windows that shrink by
 * 3 % down to 6 %. For 100 iterations: after 22, 41, 57, 70, 80, 87, 93 and 99.
 */
export function checkpoints(iterations: number): Checkpoint[] {
  const share = (part: number) => Math.max(Math.trunc(part * iterations), 1);
  const result: Checkpoint[] = [];
  let window = share(0.22);
  for (let after = window; after <= iterations; after += window) {
    result.push({ after, window });
    window = Math.max(window - share(0.03), share(0.06));
  }
  return result;
}
