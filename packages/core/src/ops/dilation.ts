import { pad, reshape, slice, transpose } from '../tensor/index.js';
import type { Tensor } from '../tensor/index.js';

/** A dilated window per axis of the image: taps, distance between them, and zeros before and after the image. */
export interface DilatedWindow {
  readonly kernel: readonly number[];
  readonly dilations: readonly number[];
  readonly margins: readonly (readonly [before: number, after: number])[];
}

/** Zeros that `same` padding at stride 1 puts around an image, per axis. */
export function sameMargins(kernel: readonly number[], dilations: readonly number[]): [number, number][] {
  return kernel.map((taps, axis) => {
    const total = (taps - 1) * dilations[axis]!;
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  });
}

const product = (sides: readonly number[]): number => sides.reduce((size, side) => size * side, 1);

/** Zeros before and after an axis. Backends differ in how many axes their own padding takes. */
export function padAxis(x: Tensor, axis: number, [before, after]: readonly [number, number]): Tensor {
  if (before + after === 0) return x;
  const length = x.shape[axis]!;
  const flat = reshape(x, [product(x.shape.slice(0, axis)), length, product(x.shape.slice(axis + 1))]);
  const padded = pad(flat, [[0, 0], [before, after], [0, 0]]); // prettier-ignore
  return reshape(padded, x.shape.with(axis, before + length + after));
}

/** Takes every `step`-th place along an axis into an image of its own; the axis' length is a multiple of it. */
function deal(x: Tensor, axis: number, step: number): Tensor {
  const [batch, ...sides] = x.shape as [number, ...number[]];
  const [before, length, after] = [x.shape.slice(1, axis), x.shape[axis]! / step, x.shape.slice(axis + 1)];
  const split = reshape(x, [batch, product(before), length, step, product(after)]);
  return reshape(transpose(split, [3, 0, 1, 2, 4]), [step * batch, ...sides.with(axis - 1, length)]);
}

/** Puts together what `deal` took apart. */
function collect(x: Tensor, axis: number, step: number): Tensor {
  const [batch, ...sides] = x.shape as [number, ...number[]];
  const [before, length, after] = [x.shape.slice(1, axis), x.shape[axis]!, x.shape.slice(axis + 1)];
  const split = reshape(x, [step, batch / step, product(before), length, product(after)]);
  return reshape(transpose(split, [1, 2, 3, 0, 4]), [batch / step, ...sides.with(axis - 1, length * step)]);
}

/**
 * A dilated convolution, by way of one without dilation: places of an image that a window sees together are `dilation`
 * apart, so they become an image of their own. Differentiable as far as `convolve` is, where TensorFlow.js's own dilated
 * convolutions have no gradient.
 * @param x [batch, ...sides, channels] float32
 * @param convolve stride 1 and no padding, with the window's kernel
 * @returns [batch, ...sides, channels of what `convolve` returns], each side less the window's extent, plus margins and 1
 */
export function undilated(x: Tensor, window: DilatedWindow, convolve: (x: Tensor) => Tensor): Tensor {
  const { kernel, dilations, margins } = window;
  const extents = kernel.map((taps, axis) => (taps - 1) * dilations[axis]! + 1);
  const padded = margins.map(([before, after], axis) => x.shape[axis + 1]! + before + after);
  const filled = padded.map((side, axis) => Math.ceil(side / dilations[axis]!) * dilations[axis]!);
  let images = x;
  margins.forEach(([before, after], axis) => {
    images = padAxis(images, axis + 1, [before, after + filled[axis]! - padded[axis]!]);
  });
  dilations.forEach((step, axis) => (images = deal(images, axis + 1, step)));
  let y = convolve(images);
  for (let axis = kernel.length; axis > 0; axis--) y = collect(y, axis, dilations[axis - 1]!);
  const sides = padded.map((side, axis) => side - extents[axis]! + 1);
  return slice(y, Array<number>(y.rank).fill(0), [x.shape[0]!, ...sides, y.shape.at(-1)!]);
}
