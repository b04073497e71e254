import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressOf, allocate, kernelsOn, memoryOf, withScratch } from './module.js';
import type { WasmBackend } from './module.js';

export type Shape4D = [number, number, number, number];

/** Strides [vertical, horizontal] and the zeros before the first row and column of the input. */
export interface ConvGeometry {
  readonly strides: readonly [number, number];
  readonly top: number;
  readonly left: number;
}

/** Zeros around images. */
interface Margins {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Images in the backend's memory, zero margins included; strides in bytes. */
interface Images {
  readonly address: number;
  readonly imageBytes: number;
  readonly rowBytes: number;
  readonly pixelBytes: number;
}

/** A tile of pixels and its part of the input should stay in the second cache (half a megabyte) while weights pass by. */
const TILE_FLOATS = 128 * 1024;
/** Floats that a kernel may read past the last valid one. */
const SLACK = 16;
const LANES = 8;

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Passes images with the given margins to `use`; without margins the tensor itself. */
function withMargins<T>(
  backend: WasmBackend,
  { x, margins }: { x: TensorInfo; margins: Margins },
  use: (images: Images) => T,
): T {
  const [batch, height, width, channels] = x.shape as Shape4D;
  const { top, bottom, left, right } = margins;
  const pixelBytes = channels * 4;
  const rowBytes = (left + width + right) * pixelBytes;
  const imageBytes = (top + height + bottom) * rowBytes;
  if (top + bottom + left + right === 0)
    return use({ address: addressOf(backend, x), imageBytes, rowBytes, pixelBytes });
  return withScratch(backend, (batch * imageBytes) / 4 + SLACK, (address) => {
    const { padImages } = kernelsOn(backend).kernels;
    padImages(
      addressOf(backend, x),
      address,
      batch,
      height,
      width * pixelBytes,
      top,
      bottom,
      left * pixelBytes,
      right * pixelBytes,
    );
    return use({ address, imageBytes, rowBytes, pixelBytes });
  });
}

const tilePixels = (channels: number): number => roundUp(clamp(TILE_FLOATS / channels, 60, 2000), 5);

/** y = conv(x, filter) */
export function convForward(
  backend: WasmBackend,
  { x, filter }: { x: TensorInfo; filter: TensorInfo },
  geometry: ConvGeometry & { outHeight: number; outWidth: number },
): TensorInfo {
  const { strides, top, left, outHeight, outWidth } = geometry;
  const [batch, height, width, inChannels] = x.shape as Shape4D;
  const [kernelHeight, kernelWidth, , outChannels] = filter.shape as Shape4D;
  const { kernels, conv } = kernelsOn(backend);
  const y = allocate(backend, [batch, outHeight, outWidth, outChannels]);
  const depth = kernelHeight * kernelWidth * inChannels;
  const bottom = Math.max(0, (outHeight - 1) * strides[0] + kernelHeight - top - height);
  const right = Math.max(0, (outWidth - 1) * strides[1] + kernelWidth - left - width);
  withMargins(backend, { x, margins: { top, bottom, left, right } }, (images) => {
    withScratch(backend, roundUp(outChannels, LANES) * depth, (packed) => {
      kernels.packPanels(addressOf(backend, filter), packed, depth, outChannels);
      const pixelBytes = outChannels * 4;
      const parameters = [
        ...[images.address, addressOf(backend, y), packed, outHeight, outWidth],
        ...[images.imageBytes, strides[0] * images.rowBytes, strides[1] * images.pixelBytes],
        ...[outHeight * outWidth * pixelBytes, outWidth * pixelBytes, pixelBytes],
        ...[outChannels, kernelHeight, kernelWidth * inChannels, images.rowBytes],
      ];
      const pixels = batch * outHeight * outWidth;
      const tile = tilePixels(inChannels * strides[0] * strides[1]);
      conv(parameters, { pixels, panels: Math.ceil(outChannels / LANES), tile, work: pixels * depth * outChannels });
    });
  });
  return y;
}

/**
 * Along one axis: input positions p = phase + stride g all see the same taps, last = first - stride (count - 1), ...,
 * first, of dy at g + base, g + base + 1, ... A strided convolution falls into stride x stride such ordinary ones.
 */
interface Phase {
  readonly phase: number;
  readonly grid: number;
  readonly taps: readonly number[];
  readonly base: number;
}

function phases({
  size,
  kernel,
  stride,
  before,
}: {
  size: number;
  kernel: number;
  stride: number;
  before: number;
}): Phase[] {
  return Array.from({ length: Math.min(stride, size) }, (_, phase) => {
    const shifted = phase + before;
    const taps: number[] = [];
    for (let tap = shifted % stride; tap < kernel; tap += stride) taps.unshift(tap);
    return {
      phase,
      grid: Math.ceil((size - phase) / stride),
      taps,
      base: Math.floor(shifted / stride) - (taps.length - 1),
    };
  });
}

const marginBefore = (axis: readonly Phase[]): number => Math.max(0, ...axis.map(({ base }) => -base));
const marginAfter = (axis: readonly Phase[], size: number): number =>
  Math.max(0, ...axis.map(({ grid, base, taps }) => grid - 1 + base + taps.length - size));

/** Gradient of `convForward` with respect to x, times dy. */
export function convInputGrad(
  backend: WasmBackend,
  { dy, filter }: { dy: TensorInfo; filter: TensorInfo },
  geometry: ConvGeometry & { inputShape: Shape4D },
): TensorInfo {
  const { strides, top, left, inputShape } = geometry;
  const [batch, height, width, inChannels] = inputShape;
  const [, outHeight, outWidth, outChannels] = dy.shape as Shape4D;
  const [kernelHeight, kernelWidth] = filter.shape as Shape4D;
  const { kernels, conv } = kernelsOn(backend);
  const dx = allocate(backend, inputShape);
  const vertical = phases({ size: height, kernel: kernelHeight, stride: strides[0], before: top });
  const horizontal = phases({ size: width, kernel: kernelWidth, stride: strides[1], before: left });
  const used = (axis: readonly Phase[]): Phase[] => axis.filter(({ taps }) => taps.length > 0);
  if (used(vertical).length < vertical.length || used(horizontal).length < horizontal.length) {
    new Uint8Array(memoryOf(backend).buffer, addressOf(backend, dx), batch * height * width * inChannels * 4).fill(0);
  }
  const margins = {
    top: marginBefore(used(vertical)),
    bottom: marginAfter(used(vertical), outHeight),
    left: marginBefore(used(horizontal)),
    right: marginAfter(used(horizontal), outWidth),
  };
  const tapFloats = inChannels * outChannels;
  const panelFloats = roundUp(inChannels, LANES) * outChannels;
  withMargins(backend, { x: dy, margins }, (images) => {
    withScratch(backend, panelFloats * kernelHeight * kernelWidth, (packed) => {
      for (const rows of used(vertical)) {
        for (const columns of used(horizontal)) {
          const taps = rows.taps.flatMap((ky) => columns.taps.map((kx) => ky * kernelWidth + kx));
          const panelBytes = taps.length * outChannels * LANES * 4;
          taps.forEach((tap, index) => {
            const source = addressOf(backend, filter) + tap * tapFloats * 4;
            kernels.packTransposed(
              source,
              packed + index * outChannels * LANES * 4,
              inChannels,
              outChannels,
              panelBytes,
            );
          });
          const corner =
            (margins.top + rows.base) * images.rowBytes + (margins.left + columns.base) * images.pixelBytes;
          const pixelBytes = inChannels * 4;
          const parameters = [
            images.address + corner,
            addressOf(backend, dx) + (rows.phase * width + columns.phase) * pixelBytes,
            ...[packed, rows.grid, columns.grid, images.imageBytes, images.rowBytes, images.pixelBytes],
            ...[height * width * pixelBytes, strides[0] * width * pixelBytes, strides[1] * pixelBytes],
            ...[inChannels, rows.taps.length, columns.taps.length * outChannels, images.rowBytes],
          ];
          const pixels = batch * rows.grid * columns.grid;
          const work = pixels * taps.length * tapFloats;
          conv(parameters, { pixels, panels: Math.ceil(inChannels / LANES), tile: tilePixels(outChannels), work });
        }
      }
    });
  });
  return dx;
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
  const module = kernelsOn(backend);
  const dFilter = allocate(backend, filterShape);
  const run = kernelWidth * inChannels;
  const bottom = Math.max(0, (outHeight - 1) * strides[0] + kernelHeight - top - height);
  const right = Math.max(0, (outWidth - 1) * strides[1] + kernelWidth - left - width);
  const tileRows = Math.max(1, Math.round(clamp(TILE_FLOATS / 2 / inChannels, 64, 512) / outWidth));
  const scratchFloats = (kernelHeight * roundUp(run, 5) + tileRows * outWidth) * LANES;
  withMargins(backend, { x, margins: { top, bottom, left, right } }, (images) => {
    withScratch(backend, scratchFloats * module.threads + SLACK, (scratch) => {
      const parameters = [
        ...[images.address, addressOf(backend, dy), addressOf(backend, dFilter), batch, outHeight, outWidth],
        ...[images.imageBytes, strides[0] * images.rowBytes, strides[1] * images.pixelBytes],
        ...[outChannels, kernelHeight, run, images.rowBytes],
      ];
      const pixels = batch * outHeight * outWidth;
      const work = pixels * kernelHeight * run * outChannels;
      const panels = Math.ceil(outChannels / LANES);
      module.convFilterGrad(parameters, { panels, tile: tileRows, work, scratch, scratchBytes: scratchFloats * 4 });
    });
  });
  return dFilter;
}
