import type { TensorInfo } from '../../tensor/index.js';
import { addressOf, FLOAT_WORK, floatBits, kernelsOn, memoryOf, withScratch } from './module.js';
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
export const TILE_FLOATS = 128 * 1024;
/** Images padded at once: what stays in the second cache, and enough pixels that weights are not read too often. */
const GROUP_BYTES = 512 * 1024;
const GROUP_PIXELS = 4000;
/** Padded images that a thread takes at a time. */
const PADDED_BYTES = 32 * 1024;
/** Floats that a kernel may read past the last valid one. */
export const SLACK = 16;
export const LANES = 8;
/** What a product is cut off below where nothing is cut off. */
export const NO_FLOOR = floatBits(-Infinity);

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

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
export function withMargins(
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
export function pack(
  backend: WasmBackend,
  kernel: 'packPanelsUnit' | 'packTransposedUnit',
  parameters: [source: number, target: number, depth: number, columns: number, panelBytes: number],
): void {
  const [, , depth, columns] = parameters;
  const division = { units: Math.ceil(columns / LANES), work: 2 * depth * columns * FLOAT_WORK };
  kernelsOn(backend).share(kernel, parameters, division);
}

export const tilePixels = (channels: number): number => roundUp(clamp(TILE_FLOATS / channels, 60, 2000), 5);

/** Writes a bias of `channels` values, of which `bias` has the first and the others are 0. */
export function writeBias(
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
