import type { TensorInfo } from '../../tensor/index.js';
import { addressOf, allocate, FLOAT_WORK, floatBits, kernelsOn, memoryOf, withScratch } from './module.js';
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
/** Padded images that a thread takes at a time. */
const PADDED_BYTES = 32 * 1024;
/** Floats that a kernel may read past the last valid one. */
const SLACK = 16;
const LANES = 8;
/** Sums of the filter gradient that are in registers at a time. */
const STRIP = 5;
/** A unit of it should have so many, or packing costs too much. */
const LEAST_RUN = 20;
const NO_FLOOR = floatBits(-Infinity);
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
 * pixels per image that `use` computes, it gets groups of images, which are still in the caches of the threads when they read them.
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
  const { threads, share } = kernelsOn(backend);
  const least = threads * Math.max(GROUP_BYTES / imageBytes, GROUP_PIXELS / (pixels ?? 1));
  const group = pixels === undefined ? batch : Math.min(batch, Math.ceil(least));
  withScratch(backend, (group * imageBytes) / 4 + SLACK, (address) => {
    const unitRows = Math.ceil(PADDED_BYTES / rowBytes);
    for (let first = 0; first < batch; first += group) {
      const count = Math.min(group, batch - first);
      const source = addressOf(backend, x) + first * height * width * pixelBytes;
      const sides = [top, bottom, left * pixelBytes, right * pixelBytes];
      const units = Math.ceil((count * (top + height + bottom)) / unitRows);
      const work = ((count * imageBytes) / 2) * FLOAT_WORK;
      share('padUnit', [source, address, count, height, width * pixelBytes, ...sides, unitRows], { units, work });
      use({ images: { address, ...strides }, first, count });
    }
  });
}

/** Packs columns in panels; parameters as of `PackJob` in packages/core/assembly/layout.ts. */
function pack(
  backend: WasmBackend,
  kernel: 'packPanelsUnit' | 'packTransposedUnit',
  parameters: [source: number, target: number, depth: number, columns: number, panelBytes: number],
): void {
  const [, , depth, columns] = parameters;
  const division = { units: Math.ceil(columns / LANES), work: 2 * depth * columns * FLOAT_WORK };
  kernelsOn(backend).share(kernel, parameters, division);
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
  const { share } = kernelsOn(backend);
  const y = allocate(backend, [batch, outHeight, outWidth, outChannels]);
  const depth = kernelHeight * kernelWidth * inChannels;
  const bottom = Math.max(0, (outHeight - 1) * strides[0] + kernelHeight - top - height);
  const right = Math.max(0, (outWidth - 1) * strides[1] + kernelWidth - left - width);
  const pixelBytes = outChannels * 4;
  const channels = roundUp(outChannels, LANES);
  withScratch(backend, channels * (1 + depth), (biases) => {
    const packed = biases + channels * 4;
    pack(backend, 'packPanelsUnit', [addressOf(backend, filter), packed, depth, outChannels, depth * LANES * 4]);
    writeBias(backend, { bias, address: biases, channels });
    const pixels = outHeight * outWidth;
    withMargins(backend, { x, margins: { top, bottom, left, right }, pixels }, ({ images, first, count }) => {
      const parameters = [
        ...[images.address, addressOf(backend, y) + first * pixels * pixelBytes, packed, outHeight, outWidth],
        ...[images.imageBytes, strides[0] * images.rowBytes, strides[1] * images.pixelBytes],
        ...[pixels * pixelBytes, outWidth * pixelBytes, pixelBytes],
        ...[outChannels, kernelHeight, kernelWidth * inChannels, images.rowBytes],
        ...[biases, geometry.relu === true ? floatBits(0) : NO_FLOOR],
      ];
      const panels = Math.ceil(outChannels / LANES);
      const tile = tilePixels(inChannels * strides[0] * strides[1]);
      const work = count * pixels * depth * outChannels;
      const units = Math.ceil((count * pixels) / tile) * panels;
      share('convUnit', [...parameters, count * pixels, tile, panels], { units, work });
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
