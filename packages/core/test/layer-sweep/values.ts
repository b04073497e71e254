/** A tensor in double precision, for what results are compared with. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, side) => size * side, 1);

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/**
 * Values between -1 and 1 in no visible order: all different, none near 0, exact in float32. So max pooling has no ties and no kink is
 * nearer than the steps of finite differences.
 */
export function spread(shape: readonly number[], seed: number): Values {
  const size = sizeOf(shape);
  let step = Math.max(1, Math.round(size * 0.618));
  while (divisor(step, size) > 1) step++;
  const data = Float64Array.from({ length: size }, (_, index) => {
    const place = (index * step + seed * 7) % size;
    return Math.fround((2 * place + 1.37) / (size + 0.5) - 1);
  });
  return { shape, data };
}

const known = new Map<string, readonly (readonly number[])[]>();

/** The positions of a tensor of this shape, row by row. */
export function positions(shape: readonly number[]): readonly (readonly number[])[] {
  const key = shape.join();
  let all = known.get(key);
  if (!all) {
    all = shape.reduce<number[][]>(
      (before, side) => before.flatMap((position) => Array.from({ length: side }, (_, at) => [...position, at])),
      [[]],
    );
    known.set(key, all);
  }
  return all;
}

/** Where a position is in the data of a tensor of this shape. */
export const offset = (shape: readonly number[], position: readonly number[]): number =>
  position.reduce((at, index, axis) => at * shape[axis]! + index, 0);

export const mapValues = ({ shape, data }: Values, f: (value: number, index: number) => number): Values => ({
  shape,
  data: data.map(f),
});

/** A tensor whose values are functions of their positions. */
export function build(shape: readonly number[], value: (position: readonly number[]) => number): Values {
  return { shape, data: Float64Array.from(positions(shape), value) };
}

export const at = (values: Values, position: readonly number[]): number => values.data[offset(values.shape, position)]!;
