import type { TensorInfo } from '../../tensor/index.js';
import {
  LANES,
  NO_FLOOR,
  pack,
  roundUp,
  tilePixels,
  withMargins,
  writeBias,
  type ConvGeometry,
  type Shape4D,
} from './convolution-layout.js';
import { addressOf, allocate, kernelsOn, memoryOf, withScratch, type WasmBackend } from './module.js';

/** Input channels up to which, and output channels from which, the input gradient is faster in vectors along the patch. */
const MOST_DOTS = 4;
const LEAST_PATCH = 4;

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

/** One tap [inChannels, outChannels] of a filter into weights [inChannels][taps][outChannels], whose place for it is `target`. */
function spread(
  memory: WebAssembly.Memory,
  tap: { source: number; target: number; inChannels: number; outChannels: number; taps: number },
): void {
  const floats = new Float32Array(memory.buffer);
  for (let channel = 0; channel < tap.inChannels; channel++) {
    const from = tap.source / 4 + channel * tap.outChannels;
    floats.copyWithin(tap.target / 4 + channel * tap.taps * tap.outChannels, from, from + tap.outChannels);
  }
}

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
  const { share } = kernelsOn(backend);
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
  // Few channels: one by one along the patch. With few of dy's, too, patches are too short for that.
  const kind = inChannels <= MOST_DOTS && outChannels >= LEAST_PATCH ? 'dotsUnit' : 'convUnit';
  const panels = kind === 'dotsUnit' ? inChannels : Math.ceil(inChannels / LANES);
  const panelFloats = roundUp(inChannels, LANES) * outChannels;
  const channels = roundUp(inChannels, LANES);
  withScratch(backend, channels + panelFloats * kernelHeight * kernelWidth, (zeros) => {
    const packed = zeros + channels * 4;
    writeBias(backend, { address: zeros, channels });
    // Each phase's weights follow those of the one before.
    let next = packed;
    const jobs = used(vertical).flatMap((rows) =>
      used(horizontal).map((columns) => {
        const taps = rows.taps.flatMap((ky) => columns.taps.map((kx) => ky * kernelWidth + kx));
        const weights = next;
        next += panelFloats * taps.length * 4;
        taps.forEach((tap, index) => {
          const source = addressOf(backend, filter) + tap * inChannels * outChannels * 4;
          if (kind === 'dotsUnit') {
            const target = weights + index * outChannels * 4;
            spread(memoryOf(backend), { source, target, inChannels, outChannels, taps: taps.length });
          } else {
            const target = weights + index * outChannels * LANES * 4;
            const panelBytes = taps.length * outChannels * LANES * 4;
            pack(backend, 'packTransposedUnit', [source, target, outChannels, inChannels, panelBytes]);
          }
        });
        return { rows, columns, weights, taps: taps.length };
      }),
    );
    withMargins(backend, { x: dy, margins, pixels: height * width }, ({ images, first, count }) => {
      const pixelBytes = inChannels * 4;
      const target = addressOf(backend, dx) + first * height * width * pixelBytes;
      for (const { rows, columns, weights, taps } of jobs) {
        const corner = (margins.top + rows.base) * images.rowBytes + (margins.left + columns.base) * images.pixelBytes;
        const parameters = [
          images.address + corner,
          target + (rows.phase * width + columns.phase) * pixelBytes,
          ...[weights, rows.grid, columns.grid, images.imageBytes, images.rowBytes, images.pixelBytes],
          ...[height * width * pixelBytes, strides[0] * width * pixelBytes, strides[1] * pixelBytes],
          ...[inChannels, rows.taps.length, columns.taps.length * outChannels, images.rowBytes],
          ...[zeros, NO_FLOOR],
        ];
        const pixels = count * rows.grid * columns.grid;
        const work = pixels * taps * inChannels * outChannels;
        const tile = tilePixels(outChannels);
        const units = Math.ceil(pixels / tile) * panels;
        share(kind, [...parameters, pixels, tile, panels], { units, work });
      }
    });
  });
  return dx;
}
