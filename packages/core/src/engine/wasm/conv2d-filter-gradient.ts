import type { TensorInfo } from '../../tensor/index.js';
import {
  clamp,
  LANES,
  roundUp,
  SLACK,
  TILE_FLOATS,
  withMargins,
  type ConvGeometry,
  type Shape4D,
} from './convolution-layout.js';
import { addressOf, allocate, kernelsOn, withScratch, type WasmBackend } from './module.js';

/** Sums of the filter gradient that are in registers at a time. */
const STRIP = 5;
/** A unit of it should have so many, or packing costs too much. */
const LEAST_RUN = 20;

/**
 * Rows of taps, and floats of their runs, in a unit of the filter gradient: all of them if there are panels enough for the threads;
 * every cut packs the gradient of its panel once more.
 */
function cutFilter(size: { panels: number; rows: number; run: number; threads: number }): {
  unitRows: number;
  unitRun: number;
} {
  const { panels, rows, threads } = size;
  const run = roundUp(size.run, STRIP);
  if (threads < 2 || panels >= 2 * threads) return { unitRows: rows, unitRun: run };
  const parts = clamp(Math.floor((2 * threads) / (panels * rows)), 1, Math.floor(run / LEAST_RUN) || 1);
  return { unitRows: 1, unitRun: roundUp(run / parts, STRIP) };
}

/** Gradient of `convForward` with respect to the filter, times dy. */
export function convFilterGrad(
  backend: WasmBackend,
  { x, dy }: { x: TensorInfo; dy: TensorInfo },
  geometry: ConvGeometry & { filterShape: Shape4D },
): TensorInfo {
  const { strides, top, left, filterShape } = geometry;
  const [batch, height, width, inChannels] = x.shape as Shape4D;
  const [, outHeight, outWidth, outChannels] = dy.shape as Shape4D;
  const [kernelHeight, kernelWidth] = filterShape;
  const { threads, share } = kernelsOn(backend);
  const dFilter = allocate(backend, filterShape);
  const run = kernelWidth * inChannels;
  const bottom = Math.max(0, (outHeight - 1) * strides[0] + kernelHeight - top - height);
  const right = Math.max(0, (outWidth - 1) * strides[1] + kernelWidth - left - width);
  const tileRows = Math.max(1, Math.round(clamp(TILE_FLOATS / 2 / inChannels, 64, 512) / outWidth));
  const panels = Math.ceil(outChannels / LANES);
  const { unitRows, unitRun } = cutFilter({ panels, rows: kernelHeight, run, threads });
  const scratchFloats = (unitRows * unitRun + tileRows * outWidth) * LANES;
  withMargins(backend, { x, margins: { top, bottom, left, right } }, ({ images }) => {
    withScratch(backend, scratchFloats * threads + SLACK, (scratch) => {
      const parameters = [
        ...[images.address, addressOf(backend, dy), addressOf(backend, dFilter), batch, outHeight, outWidth],
        ...[images.imageBytes, strides[0] * images.rowBytes, strides[1] * images.pixelBytes],
        ...[outChannels, kernelHeight, run, images.rowBytes],
        ...[tileRows, unitRows, unitRun, scratch, scratchFloats * 4],
      ];
      const work = batch * outHeight * outWidth * kernelHeight * run * outChannels;
      const units = panels * Math.ceil(kernelHeight / unitRows) * Math.ceil(run / unitRun);
      share('filterUnit', parameters, { units, work });
    });
  });
  return dFilter;
}
