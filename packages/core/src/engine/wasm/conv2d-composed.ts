import { conv2d, matMul, pad, reshape, reverse, stack, stridedSlice, transpose } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
export type Shape4D = [number, number, number, number];
/** A convolution's gradient problem in full: strides, dilations and the zeros before each spatial axis. */
export interface ConvGeometry {
  readonly strides: [number, number];
  readonly top: number;
  readonly left: number;
}

/** Zeros between the rows and columns of dy: what a strided convolution skipped. */
function dilate(dy: Tensor4D, [strideY, strideX]: [number, number]): Tensor4D {
  if (strideY === 1 && strideX === 1) return dy;
  const [batch, height, width, channels] = dy.shape;
  const spread = pad(reshape(dy, [batch * height, 1, width, 1, channels]) as Tensor, [
    [0, 0],
    [0, strideY - 1],
    [0, 0],
    [0, strideX - 1],
    [0, 0],
  ]);
  return reshape(spread, [batch, height * strideY, width * strideX, channels]);
}

/** Gradient with respect to the input: a forward convolution of the dilated dy with the flipped, transposed filter. */
export function composedInputGrad(
  dy: Tensor4D,
  filter: Tensor4D,
  geometry: ConvGeometry & { inputShape: Shape4D },
): Tensor4D {
  const { strides, top, left, inputShape } = geometry;
  const [kernelHeight, kernelWidth] = filter.shape;
  const spread = dilate(dy, strides);
  const before = [kernelHeight - 1 - top, kernelWidth - 1 - left] as const;
  const need = [inputShape[1] + kernelHeight - 1, inputShape[2] + kernelWidth - 1] as const;
  const margin = (axis: 0 | 1): [number, number] => [before[axis], need[axis] - before[axis] - spread.shape[axis + 1]!];
  const flipped = transpose(reverse(filter, [0, 1]), [0, 1, 3, 2]);
  return conv2d(padOrCrop(spread, margin(0), margin(1)), flipped, 1, 'valid');
}

function padOrCrop(x: Tensor4D, rows: [number, number], columns: [number, number]): Tensor4D {
  const grow = ([before, after]: [number, number]): [number, number] => [Math.max(before, 0), Math.max(after, 0)];
  const grown = pad(x, [[0, 0], grow(rows), grow(columns), [0, 0]]);
  const [batch, , , channels] = grown.shape;
  const begin = [0, Math.max(-rows[0], 0), Math.max(-columns[0], 0), 0];
  const height = x.shape[1] + rows[0] + rows[1];
  const width = x.shape[2] + columns[0] + columns[1];
  return stridedSlice(grown, begin, [batch, begin[1]! + height, begin[2]! + width, channels]) as Tensor4D;
}

/** Gradient with respect to the filter: per tap, shifted inputs (transposed) times dy. */
export function composedFilterGrad(
  x: Tensor4D,
  dy: Tensor4D,
  geometry: ConvGeometry & { filterShape: Shape4D },
): Tensor4D {
  const { strides, top, left, filterShape } = geometry;
  const [kernelHeight, kernelWidth, inChannels, outChannels] = filterShape;
  const [batch, outHeight, outWidth] = dy.shape;
  const spanY = (outHeight - 1) * strides[0] + 1;
  const spanX = (outWidth - 1) * strides[1] + 1;
  const bottom = Math.max(0, spanY + kernelHeight - 1 - top - x.shape[1]);
  const right = Math.max(0, spanX + kernelWidth - 1 - left - x.shape[2]);
  const padded = pad(x, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
  const rows = reshape(dy, [batch * outHeight * outWidth, outChannels]);
  const taps: Tensor[] = [];
  for (let ky = 0; ky < kernelHeight; ky++) {
    for (let kx = 0; kx < kernelWidth; kx++) {
      const shifted = stridedSlice(
        padded,
        [0, ky, kx, 0],
        [batch, ky + spanY, kx + spanX, inChannels],
        [1, ...strides, 1],
      );
      taps.push(matMul(reshape(shifted, [rows.shape[0], inChannels]), rows, true));
    }
  }
  return reshape(stack(taps), filterShape);
}
