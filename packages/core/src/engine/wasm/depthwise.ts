import type { TensorInfo } from '../../tensor/index.js';
import { addressOf, allocate, FLOAT_WORK, kernelsOn, withScratch } from './module.js';
import type { WasmBackend } from './module.js';
import type { ConvGeometry, Shape4D } from './convolution-layout.js';

/** A depthwise convolution: images [batch, height, width, in], filter [kernelHeight, kernelWidth, in, times], in x times channels out. */
interface Depthwise extends ConvGeometry {
  readonly inputShape: Shape4D;
  readonly filterShape: Shape4D;
  readonly outHeight: number;
  readonly outWidth: number;
}
interface Addresses {
  readonly images: number;
  readonly filter: number;
  readonly out: number;
}
type Kernel = 'depthwiseUnit' | 'depthwiseInputGradUnit' | 'depthwiseFilterGradUnit';

function run(backend: WasmBackend, kernel: Kernel, { images, filter, out }: Addresses, geometry: Depthwise): void {
  const { inputShape, filterShape, outHeight, outWidth, strides, top, left } = geometry;
  const [batch, height, width, inChannels] = inputShape;
  const [kernelHeight, kernelWidth, , times] = filterShape;
  const channels = inChannels * times;
  const parameters = [
    ...[images, filter, out, batch, height, width, channels, outHeight, outWidth],
    ...[...strides, kernelHeight, kernelWidth, top, left],
  ];
  const taps = kernelHeight * kernelWidth;
  kernelsOn(backend).share(kernel, parameters, {
    units: kernel === 'depthwiseFilterGradUnit' ? taps : batch,
    work: batch * outHeight * outWidth * channels * taps,
  });
}

/** Values of a unit of the kernels that copy. */
const BLOCK = 8192;
const sizeOf = (shape: readonly number[]): number => shape.reduce((size, side) => size * side, 1);

/** Images in which every channel stands as often as it has filters, and images in which it stands once. */
interface Copies {
  readonly copies: number;
  readonly values: number;
  readonly size: number;
  readonly times: number;
}

function copy(
  backend: WasmBackend,
  kernel: 'repeatUnit' | 'sumCopiesUnit',
  { values, copies, size, times }: Copies,
): void {
  kernelsOn(backend).share(kernel, [values, copies, size, times, BLOCK], {
    units: Math.ceil(size / BLOCK),
    work: size * (times + 1) * FLOAT_WORK,
  });
}

/** Passes the address of images in which every channel has a copy for each of its filters. */
function withCopies(
  backend: WasmBackend,
  { x, times }: { x: TensorInfo; times: number },
  use: (images: number) => void,
): void {
  const values = addressOf(backend, x);
  if (times === 1) return use(values);
  const size = sizeOf(x.shape);
  withScratch(backend, size * times, (copies) => {
    copy(backend, 'repeatUnit', { values, copies, size, times });
    use(copies);
  });
}

/** y = depthwise convolution of x. */
export function depthwiseForward(
  backend: WasmBackend,
  { x, filter }: { x: TensorInfo; filter: TensorInfo },
  geometry: Depthwise,
): TensorInfo {
  const [batch, , , channels] = geometry.inputShape;
  const times = geometry.filterShape[3];
  const y = allocate(backend, [batch, geometry.outHeight, geometry.outWidth, channels * times]);
  withCopies(backend, { x, times }, (images) =>
    run(backend, 'depthwiseUnit', { images, filter: addressOf(backend, filter), out: addressOf(backend, y) }, geometry),
  );
  return y;
}

/** Gradient of `depthwiseForward` in x, times dy. */
export function depthwiseInputGrad(
  backend: WasmBackend,
  { dy, filter }: { dy: TensorInfo; filter: TensorInfo },
  geometry: Depthwise,
): TensorInfo {
  const dx = allocate(backend, geometry.inputShape);
  const times = geometry.filterShape[3];
  const values = addressOf(backend, dx);
  const into = (images: number): void => {
    const addresses = { images, filter: addressOf(backend, filter), out: addressOf(backend, dy) };
    run(backend, 'depthwiseInputGradUnit', addresses, geometry);
  };
  if (times === 1) into(values);
  else {
    const size = sizeOf(geometry.inputShape);
    withScratch(backend, size * times, (copies) => {
      into(copies);
      copy(backend, 'sumCopiesUnit', { values, copies, size, times });
    });
  }
  return dx;
}

/** Gradient of `depthwiseForward` in the filter, times dy. */
export function depthwiseFilterGrad(
  backend: WasmBackend,
  { x, dy }: { x: TensorInfo; dy: TensorInfo },
  geometry: Depthwise,
): TensorInfo {
  const dFilter = allocate(backend, geometry.filterShape);
  withCopies(backend, { x, times: geometry.filterShape[3] }, (images) => {
    const addresses = { images, filter: addressOf(backend, dFilter), out: addressOf(backend, dy) };
    run(backend, 'depthwiseFilterGradUnit', addresses, geometry);
  });
  return dFilter;
}
