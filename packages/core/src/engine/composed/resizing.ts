import { matMul, reshape, tensor3d } from '../../tensor/index.js';
import type { Tensor, Tensor3D } from '../../tensor/index.js';
import { composed } from './kernel.js';

interface Attrs {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}
interface Axis extends Attrs {
  readonly from: number;
  readonly to: number;
}

/** The place along an axis of `from` pixels that pixel `index` of `to` comes from. */
function placeOf(index: number, { from, to, alignCorners, halfPixelCenters }: Axis): number {
  if (alignCorners && to > 1) return (index * (from - 1)) / (to - 1);
  return halfPixelCenters ? ((index + 0.5) * from) / to - 0.5 : (index * from) / to;
}

/** [1, from, to]: how much of each pixel goes to each new one. */
function shares(axis: Axis, kind: 'nearest' | 'bilinear'): Tensor3D {
  const { from, to } = axis;
  const values = new Float32Array(from * to);
  for (let index = 0; index < to; index++) {
    const add = (pixel: number, share: number): void => {
      values[Math.min(Math.max(pixel, 0), from - 1) * to + index]! += share;
    };
    const place = placeOf(index, axis);
    if (kind === 'nearest') {
      if (axis.alignCorners) add(Math.round(place), 1);
      else add(Math.floor(axis.halfPixelCenters ? place + 0.5 : place), 1);
    } else {
      const [start, rest] = [Math.floor(place), place - Math.floor(place)];
      add(start, 1 - rest);
      add(start + 1, rest);
    }
  }
  return tensor3d(values, [1, from, to]);
}

/** Resizing is a product with a matrix from the left and one from the right; its gradient, with their transposes. */
const resizingGrad = (kernel: string, kind: 'nearest' | 'bilinear') =>
  composed<{ dy: Tensor; images: Tensor }, Attrs>(kernel, ({ dy, images }, attrs) => {
    const [batch, height, width, channels] = images.shape as [number, number, number, number];
    const [, newHeight, newWidth] = dy.shape as [number, number, number, number];
    const columns = shares({ ...attrs, from: width, to: newWidth }, kind);
    const rows = shares({ ...attrs, from: height, to: newHeight }, kind);
    const narrow = matMul(columns, reshape(dy, [batch * newHeight, newWidth, channels]));
    return reshape(matMul(rows, reshape(narrow, [batch, newHeight, width * channels])), images.shape);
  });

/** Gradient of `tf.image.resizeNearestNeighbor`. */
export const nearestResizingGrad = resizingGrad('ResizeNearestNeighborGrad', 'nearest');

/** Gradient of `tf.image.resizeBilinear`. */
export const bilinearResizingGrad = resizingGrad('ResizeBilinearGrad', 'bilinear');
