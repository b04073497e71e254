import {
  add,
  cast,
  equal,
  expandDims,
  getKernel,
  mul,
  notEqual,
  range,
  registerKernel,
  tidy,
} from '../../tensor/index.js';
import { unregisterKernel, util } from '../../tensor/index.js';
import type { DataType, KernelConfig, KernelFunc, Tensor, TensorInfo } from '../../tensor/index.js';
import type { SharedKernel } from './helper.js';
import { addressOf, allocate, FLOAT_WORK, floatBits, kernelsOn } from './module.js';
import type { WasmBackend } from './module.js';

/** Values of a unit of an elementwise kernel. */
export const BLOCK = 8192;

/** Puts a kernel in the place of the backend's own, which it may call. */
function instead(kernelName: string, make: (stock: KernelFunc) => KernelFunc): void {
  const own: KernelConfig = getKernel(kernelName, 'wasm');
  unregisterKernel(kernelName, 'wasm');
  registerKernel({ ...own, kernelFunc: make(own.kernelFunc) });
}

/** One of ours over a single tensor of floats; other dtypes go to the backend's own. */
function putOverFloats(kernelName: string, kernel: SharedKernel, options: (attrs: never) => readonly number[]): void {
  instead(kernelName, (stock) => (call) => {
    const { x } = call.inputs as { x: TensorInfo };
    if (x.dtype !== 'float32') return stock(call);
    const backend = call.backend as WasmBackend;
    const size = util.sizeFromShape(x.shape);
    const at = addressOf(backend, x);
    const y = allocate(backend, x.shape);
    const parameters = [at, 0, 0, addressOf(backend, y), size, BLOCK, ...options(call.attrs as never).map(floatBits)];
    kernelsOn(backend).share(kernel, parameters, { units: Math.ceil(size / BLOCK), work: 2 * size * FLOAT_WORK });
    return y;
  });
}

/** The backend's own writes the bits of integers, whatever type it is asked for. */
function oneHot(x: Tensor, { depth, onValue, offValue, dtype }: OneHot): Tensor {
  const hot = cast(equal(expandDims(x, -1), range(0, depth, 1, 'int32')), 'float32');
  return cast(add(mul(hot, onValue - offValue), offValue), dtype);
}
interface OneHot {
  readonly depth: number;
  readonly onValue: number;
  readonly offValue: number;
  readonly dtype: DataType;
}

let replaced = false;
/**
 * Elementwise kernels of the backend that are wrong: signs of numbers below 1.2e-7 are 0, limits hide NaN, one-hot floats are bits of integers,
 * and as a boolean a number is true from 1 on.
 */
export function putStockElementwise(): void {
  if (replaced) return;
  replaced = true;
  putOverFloats('Sign', 'signOfUnit', () => []);
  putOverFloats('Relu6', 'clipUnit', () => [0, 6]);
  putOverFloats('ClipByValue', 'clipUnit', ({ clipValueMin, clipValueMax }: Clip) => [clipValueMin, clipValueMax]);
  instead(
    'OneHot',
    () =>
      ({ inputs, attrs }) =>
        tidy(() => oneHot(inputs['indices'] as Tensor, { dtype: 'int32', ...attrs } as unknown as OneHot)),
  );
  instead('Cast', (stock) => (call) => {
    const x = call.inputs['x'] as Tensor;
    return x.dtype === 'float32' && call.attrs!['dtype'] === 'bool' ? tidy(() => notEqual(x, 0)) : stock(call);
  });
}
interface Clip {
  readonly clipValueMin: number;
  readonly clipValueMax: number;
}
