/** A tensor for a check: small integers, exact in float32 and in bfloat16, so that every correct library agrees to the bit. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Small integers that look random. */
export function integers(shape: readonly number[], seed: number): Values {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    data[i] = ((state >>> 16) % 7) - 3;
  }
  return { shape, data };
}

/** How far a library's values are from those that are known; NaN and missing values are infinitely far, or NaN. */
export function largestDifference(found: ArrayLike<number> | undefined, expected: ArrayLike<number>): number {
  if (found?.length !== expected.length) return Infinity;
  // Math.max, unlike a comparison, never loses a NaN
  return Array.from(found).reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i]!)), 0);
}

/** Three-by-three convolution with padding 1 and stride 1 and both its gradients, by definition. */
function convolve(x: Values, filter: Values, dy: Values) {
  const [batch, height, width, inputs] = x.shape as [number, number, number, number];
  const outputs = filter.shape[3]!;
  const y = new Float32Array(dy.data.length);
  const dx = new Float32Array(x.data.length);
  const dFilter = new Float32Array(filter.data.length);
  for (let b = 0; b < batch; b++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        for (let tap = 0; tap < 9; tap++) {
          const [r, c] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
          if (r < 0 || c < 0 || r >= height || c >= width) continue;
          for (let i = 0; i < inputs; i++)
            for (let o = 0; o < outputs; o++) {
              const at = ((b * height + row) * width + column) * outputs + o;
              const from = ((b * height + r) * width + c) * inputs + i;
              const weight = (tap * inputs + i) * outputs + o;
              y[at]! += x.data[from]! * filter.data[weight]!;
              dx[from]! += dy.data[at]! * filter.data[weight]!;
              dFilter[weight]! += dy.data[at]! * x.data[from]!;
            }
        }
  return { y, dx, dFilter };
}

/** A library's operation by its own name, for messages, and its result for values. */
export type KnownOp = readonly [name: string, compute: (...given: Values[]) => ArrayLike<number> | undefined];

/** What a native library must compute rightly: all of it float32, images NHWC, filters HWIO. */
export interface Products {
  /** Of matrices a, b. */
  readonly matrices: KnownOp;
  /** 3x3, padding 1, stride 1: of images and filter. */
  readonly convolution: KnownOp;
  /** Of the output's gradient and filter; the images are given last, for their shape. */
  readonly inputGradient: KnownOp;
  /** Of images and the output's gradient; the filter is given last, for its shape. */
  readonly filterGradient: KnownOp;
}

/** What matrix product and convolution with its gradients compute differently from arithmetic, or undefined. */
export function wrongProducts({ matrices, convolution, inputGradient, filterGradient }: Products): string | undefined {
  const a = integers([16, 32], 1);
  const b = integers([32, 16], 2);
  const product = Float32Array.from({ length: 256 }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < 32; k++) sum += a.data[Math.floor(at / 16) * 32 + k]! * b.data[k * 16 + (at % 16)]!;
    return sum;
  });
  const x = integers([2, 7, 6, 8], 3);
  const filter = integers([3, 3, 8, 16], 4);
  const dy = integers([2, 7, 6, 16], 5);
  const { y, dx, dFilter } = convolve(x, filter, dy);
  const checks: [KnownOp, Values[], Float32Array][] = [
    [matrices, [a, b], product],
    [convolution, [x, filter], y],
    [inputGradient, [dy, filter, x], dx],
    [filterGradient, [x, dy, filter], dFilter],
  ];
  for (const [[name, compute], given, expected] of checks) {
    const difference = largestDifference(compute(...given), expected);
    if (!(difference <= 1e-3)) return `${name} is off by ${difference} where exact integers were expected`;
  }
  return undefined;
}
