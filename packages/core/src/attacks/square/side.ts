/** Up to which query (inclusive) the share of changed pixels is the initial one divided by 1, 2, 4, ... */
const halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/**
 * Share of the image's pixels that a square covers at query `i` of `queries`: the piecewise constant schedule of the official code
 * (Andriushchenko et al., 2020, section 3.1). With `rescale` the schedule, made for 10000 queries, is stretched to the budget.
 */
export function shareAt(i: number, options: { initial: number; queries: number; rescale: boolean }): number {
  const at = options.rescale ? Math.trunc((i / options.queries) * 10000) : i;
  const passed = halvings.filter((bound) => at > bound).length;
  return options.initial / 2 ** passed;
}

/** Python's `round`: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** Side of the square: for l2 and l1 odd and at least 3; never more than the image. */
export function sideAt(share: number, image: { height: number; width: number; smooth: boolean }): number {
  const { height, width, smooth } = image;
  const side = Math.max(roundHalfEven(Math.sqrt(share * height * width)), smooth ? 3 : 1);
  return Math.min(smooth && side % 2 === 0 ? side + 1 : side, height, width);
}
