import { offset, positions, sizeOf, type Values } from './values.js';

type Pair = readonly [number, number];
type Triple = readonly [number, number, number];

/** How windows lie on an image, per axis of it. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations?: readonly number[];
  readonly padding: 'same' | 'valid';
}

/** Per axis: the number of windows, and how much of the first one is outside. */
export function windowsOf(sides: readonly number[], { kernel, strides, dilations, padding }: Windows) {
  return sides.map((side, axis) => {
    const stride = strides[axis]!;
    const extent = (kernel[axis]! - 1) * (dilations?.[axis] ?? 1) + 1;
    if (padding === 'valid') return { count: Math.floor((side - extent) / stride) + 1, before: 0 };
    const count = Math.ceil(side / stride);
    return { count, before: Math.floor(Math.max((count - 1) * stride + extent - side, 0) / 2) };
  });
}

/** Calls `visit` for each window (`out`), each tap of it (`tap`) and the pixel under it (`pixel`), where there is one. */
function eachTap(
  sides: readonly number[],
  windows: Windows,
  visit: (found: { out: readonly number[]; tap: readonly number[]; pixel: readonly number[] }) => void,
): number[] {
  const axes = windowsOf(sides, windows);
  const counts = axes.map(({ count }) => count);
  const taps = positions(windows.kernel);
  for (const out of positions(counts))
    for (const tap of taps) {
      const pixel = out.map(
        (index, axis) =>
          index * windows.strides[axis]! + tap[axis]! * (windows.dilations?.[axis] ?? 1) - axes[axis]!.before,
      );
      if (pixel.every((index, axis) => index >= 0 && index < sides[axis]!)) visit({ out, tap, pixel });
    }
  return counts;
}

/** y[y_i] += x[x_i] w[w_i] for all i: what every kind of convolution is. */
interface Products {
  readonly shape: readonly number[];
  readonly terms: readonly (readonly [x: number, w: number, y: number])[];
}

type Bilinear = (x: Values, w: Values) => Values;

/** The function, with the list of products made at the first call. */
function bilinear(products: (x: readonly number[], w: readonly number[]) => Products): Bilinear {
  let made: Products | undefined;
  return (x, w) => {
    made ??= products(x.shape, w.shape);
    const data = new Float64Array(sizeOf(made.shape));
    for (const [a, b, c] of made.terms) data[c]! += x.data[a]! * w.data[b]!;
    return { shape: made.shape, data };
  };
}

function convolutionProducts(x: readonly number[], w: readonly number[], windows: Windows): Products {
  const [batch, sides, inside, outside] = [x[0]!, x.slice(1, -1), x.at(-1)!, w.at(-1)!];
  const counts = windowsOf(sides, windows).map(({ count }) => count);
  const shape = [batch, ...counts, outside];
  const terms: [number, number, number][] = [];
  eachTap(sides, windows, ({ out, tap, pixel }) => {
    for (const [image, from, to] of positions([batch, inside, outside]) as Triple[])
      terms.push([
        offset(x, [image, ...pixel, from]),
        offset(w, [...tap, from, to]),
        offset(shape, [image, ...out, to]),
      ]);
  });
  return { shape, terms };
}

/** Convolution of [batch, ...sides, in] with [...kernel, in, out]. */
export const convolution = (windows: Windows): Bilinear => bilinear((x, w) => convolutionProducts(x, w, windows));

/** Its transpose: of [batch, ...counts, in] with [...kernel, out, in], to [batch, ...sides, out]. */
export const transposedConvolution = (windows: Windows, sides: readonly number[]): Bilinear =>
  bilinear((x, w) => {
    const shape = [x[0]!, ...sides, w.at(-2)!];
    const { terms } = convolutionProducts(shape, w, windows);
    return { shape, terms: terms.map(([out, tap, from]) => [from, tap, out]) };
  });

/** Each channel on its own: of [batch, ...sides, in] with [...kernel, in, times], to in x times channels. */
export const depthwise = (windows: Windows): Bilinear =>
  bilinear((x, w) => {
    const [batch, sides, inside, times] = [x[0]!, x.slice(1, -1), x.at(-1)!, w.at(-1)!];
    const counts = windowsOf(sides, windows).map(({ count }) => count);
    const shape = [batch, ...counts, inside * times];
    const terms: [number, number, number][] = [];
    eachTap(sides, windows, ({ out, tap, pixel }) => {
      for (const [image, from, copy] of positions([batch, inside, times]) as Triple[])
        terms.push([
          offset(x, [image, ...pixel, from]),
          offset(w, [...tap, from, copy]),
          offset(shape, [image, ...out, from * times + copy]),
        ]);
    });
    return { shape, terms };
  });

/** Largest value or mean of each window; what is outside of the image counts for neither. */
export function pooling(kind: 'max' | 'average', windows: Windows): (x: Values) => Values {
  let made: { shape: number[]; places: number[][] } | undefined;
  const prepare = (x: readonly number[]) => {
    const [batch, sides, channels] = [x[0]!, x.slice(1, -1), x.at(-1)!];
    const shape = [batch, ...windowsOf(sides, windows).map(({ count }) => count), channels];
    const places: number[][] = Array.from({ length: sizeOf(shape) }, () => []);
    eachTap(sides, windows, ({ out, pixel }) => {
      for (const [image, channel] of positions([batch, channels]) as Pair[])
        places[offset(shape, [image, ...out, channel])]!.push(offset(x, [image, ...pixel, channel]));
    });
    return { shape, places };
  };
  return (x) => {
    made ??= prepare(x.shape);
    const reduce = (values: number[]): number =>
      kind === 'max' ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / values.length;
    const data = Float64Array.from(made.places, (place) => reduce(place.map((index) => x.data[index]!)));
    return { shape: made.shape, data };
  };
}
