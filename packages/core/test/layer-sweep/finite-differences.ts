import type { Values } from './values.js';

/** In double precision: the error of a difference over twice this is about 1e-10. */
const step = 1e-5;

/** Gradients of the sum of dy f in each of f's arguments, as central differences. */
export function finiteDifferences(
  f: (args: readonly Values[]) => Values,
  { args, dy }: { args: readonly Values[]; dy: Values },
): Values[] {
  const weighed = (): number => f(args).data.reduce((sum, value, index) => sum + dy.data[index]! * value, 0);
  return args.map(({ shape, data }) => ({
    shape,
    data: data.map((value, index) => {
      data[index] = value + step;
      const above = weighed();
      data[index] = value - step;
      const below = weighed();
      data[index] = value;
      return (above - below) / (2 * step);
    }),
  }));
}
