import { backend_util, getKernel, mul, registerKernel, tensor, tidy, unregisterKernel } from '../tensor/index.js';
import type { KernelFunc, Tensor } from '../tensor/index.js';

type Pair = [number, number];

interface Attributes {
  readonly filterSize: Pair | number;
  readonly strides: Pair | number;
  readonly pad: 'valid' | 'same' | number;
}

/** How many pixels of an image, without the padding, each window along one side has. */
function inside({
  windows,
  stride,
  size,
  before,
  side,
}: Record<'windows' | 'stride' | 'size' | 'before' | 'side', number>) {
  return Array.from({ length: windows }, (_, at) => {
    const start = at * stride - before;
    return Math.min(start + size, side) - Math.max(start, 0);
  });
}

/** Size of the window over the number of pixels in it, [1, outHeight, outWidth, 1]; undefined where that is 1 everywhere. */
function shares(shape: number[], { filterSize, strides, pad }: Attributes): Tensor | undefined {
  const info = backend_util.computePool2DInfo(shape as [number, number, number, number], filterSize, strides, 1, pad);
  const { top, left } = info.padInfo;
  const rows = inside({
    windows: info.outHeight,
    stride: info.strideHeight,
    size: info.filterHeight,
    before: top,
    side: info.inHeight,
  });
  const columns = inside({
    windows: info.outWidth,
    stride: info.strideWidth,
    size: info.filterWidth,
    before: left,
    side: info.inWidth,
  });
  const values = rows.flatMap((high) => columns.map((wide) => (info.filterHeight * info.filterWidth) / (high * wide)));
  return values.every((value) => value === 1) ? undefined : tensor(values, [1, rows.length, columns.length, 1]);
}

const repaired = new WeakSet<KernelFunc>();

/**
 * TensorFlow.js averages over the pixels of a window without the padding, but its own backends give back gradients as if the padding
 * counted. Makes a backend's gradient that of what it computes; safe to call again.
 */
export function repairAveragePoolGradient(backendName: string): void {
  const stock = getKernel('AvgPoolGrad', backendName);
  if (!stock || repaired.has(stock.kernelFunc)) return;
  const kernelFunc: KernelFunc = (call) => {
    const { dy, input } = call.inputs as unknown as { dy: Tensor; input: Tensor };
    const scaled = tidy(() => {
      const factors = shares([...input.shape], call.attrs as unknown as Attributes);
      return factors && mul(dy, factors);
    });
    const dx = stock.kernelFunc({ ...call, inputs: { dy: scaled ?? dy, input } });
    scaled?.dispose();
    return dx;
  };
  repaired.add(kernelFunc);
  unregisterKernel('AvgPoolGrad', backendName);
  registerKernel({ ...stock, kernelFunc });
}
