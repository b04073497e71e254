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
/** Images padded at once: what stays in the second cache, and enough pixels that weights are not read too often. */
const GROUP_BYTES = 512 * 1024;
const GROUP_PIXELS = 4000;
/** Floats that a kernel may read past the last valid one. */
const SLACK = 16;
const LANES = 8;
/** The bits of a float32, as the parameters of a job are integers. */
const MINUS_INFINITY = 0xff800000 | 0;
/** Input channels up to which, and output channels from which, the input gradient is faster in vectors along the patch. */
const MOST_DOTS = 4;
const LEAST_PATCH = 4;

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Some of the batch's images, from the one with number `first` on. */
interface Group {
  readonly images: Images;
  readonly first: number;
  readonly count: number;
}

/**
 * Passes images with the given margins to `use`; without margins the tensor itself. With `pixels`, the number of
 * pixels per image that `use` computes, it gets groups of images, which are still in the cache when it reads them.
 */
function withMargins(
  backend: WasmBackend,
  { x, margins, pixels }: { x: TensorInfo; margins: Margins; pixels?: number },
  use: (group: Group) => void,
): void {
  const [batch, height, width, channels] = x.shape as Shape4D;
  const { top, bottom, left, right } = margins;
  const pixelBytes = channels * 4;
  const rowBytes = (left + width + right) * pixelBytes;
  const imageBytes = (top + height + bottom) * rowBytes;
  const strides = { imageBytes, rowBytes, pixelBytes };
  if (top + bottom + left + right === 0) {
    use({ images: { address: addressOf(backend, x), ...strides }, first: 0, count: batch });
    return;
  }
  const group =
    pixels === undefined
      ? batch
      : Math.min(batch, Math.ceil(Math.max(GROUP_BYTES / imageBytes, GROUP_PIXELS / pixels)));
  withScratch(backend, (group * imageBytes) / 4 + SLACK, (address) => {
    const { padImages } = kernelsOn(backend).kernels;
    for (let first = 0; first < batch; first += group) {
      const count = Math.min(group, batch - first);
      const source = addressOf(backend, x) + first * height * width * pixelBytes;
      const sides = [top, bottom, left * pixelBytes, right * pixelBytes];
      padImages(source, address, count, height, width * pixelBytes, ...sides);
      use({ images: { address, ...strides }, first, count });
    }
  });
}

const tilePixels = (channels: number): number => roundUp(clamp(TILE_FLOATS / channels, 60, 2000), 5);

/** Writes a bias of `channels` values, of which `bias` has the first and the others are 0. */
function writeBias(
  backend: WasmBackend,
  to: { bias?: TensorInfo | undefined; address: number; channels: number },
): void {
  const floats = new Float32Array(memoryOf(backend).buffer);
  const at = to.address / 4;
  floats.fill(0, at, at + to.channels);
  if (!to.bias) return;
  const from = addressOf(backend, to.bias) / 4;
  floats.copyWithin(at, from, from + to.bias.shape[0]!);
}

/** y = conv(x, filter) + bias, negative values replaced by 0 if `relu`. */
export function convForward(
  backend: WasmBackend,
  { x, filter, bias }: { x: TensorInfo; filter: TensorInfo; bias?: TensorInfo },
  geometry: ConvGeometry & { outHeight: number; outWidth: number; relu?: boolean },
): TensorInfo {
  const { strides, top, left, outHeight, outWidth } = geometry;
  const [batch, height, width, inChannels] = x.shape as Shape4D;
  const [kernelHeight, kernelWidth, , outChannels] = filter.shape as Shape4D;
  const { kernels, conv } = kernelsOn(backend);
  const y = allocate(backend, [batch, outHeight, outWidth, outChannels]);
  const depth = kernelHeight * kernelWidth * inChannels;
  const bottom = Math.max(0, (outHeight - 1) * strides[0] + kernelHeight - top - height);
  const right = Math.max(0, (outWidth - 1) * strides[1] + kernelWidth - left - width);
  const pixelBytes = outChannels * 4;
  const channels = roundUp(outChannels, LANES);
  withScratch(backend, channels * (1 + depth), (biases) => {
    const packed = biases + channels * 4;
    kernels.packPanels(addressOf(backend, filter), packed, depth, outChannels);
    writeBias(backend, { bias, address: biases, channels });
    const pixels = outHeight * outWidth;
    withMargins(backend, { x, margins: { top, bottom, left, right }, pixels }, ({ images, first, count }) => {
      const parameters = [
        ...[images.address, addressOf(backend, y) + first * pixels * pixelBytes, packed, outHeight, outWidth],
        ...[images.imageBytes, strides[0] * images.rowBytes, strides[1] * images.pixelBytes],
        ...[pixels * pixelBytes, outWidth * pixelBytes, pixelBytes],
        ...[outChannels, kernelHeight, kernelWidth * inChannels, images.rowBytes],
        ...[biases, geometry.relu === true ? 0 : MINUS_INFINITY],
      ];
      const panels = Math.ceil(outChannels / LANES);
      const tile = tilePixels(inChannels * strides[0] * strides[1]);
      const work = count * pixels * depth * outChannels;
      conv(parameters, { kind: 'conv', pixels: count * pixels, panels, tile, work });
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
  // Few channels: one by one along the patch. With few of dy's, too, patches are too short for that.
  const kind = inChannels <= MOST_DOTS && outChannels >= LEAST_PATCH ? 'dots' : 'conv';
  const panels = kind === 'dots' ? inChannels : Math.ceil(inChannels / LANES);
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
          if (kind === 'dots') {
            const target = weights + index * outChannels * 4;
            spread(memoryOf(backend), { source, target, inChannels, outChannels, taps: taps.length });
          } else {
            const target = weights + index * outChannels * LANES * 4;
            kernels.packTransposed(source, target, inChannels, outChannels, taps.length * outChannels * LANES * 4);
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
          ...[zeros, MINUS_INFINITY],
        ];
        const pixels = count * rows.grid * columns.grid;
        const work = pixels * taps * inChannels * outChannels;
        conv(parameters, { kind, pixels, panels, tile: tilePixels(outChannels), work });
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
  withMargins(backend, { x, margins: { top, bottom, left, right } }, ({ images }) => {
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
