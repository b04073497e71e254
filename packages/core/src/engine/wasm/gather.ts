import { getKernel, registerKernel, unregisterKernel, util } from '../../tensor/index.js';
import type { KernelFunc, TensorInfo } from '../../tensor/index.js';
import { addressOf, allocate, memoryOf } from './module.js';
import type { WasmBackend } from './module.js';

let replaced = false;
/** Rows of floats are copied whole; the backend's own copies value by value, for which it may take as long as a small network for its pass. */
export function putGather(): void {
  if (replaced) return;
  replaced = true;
  const own = getKernel('GatherV2', 'wasm');
  const stock = own.kernelFunc;
  const kernelFunc: KernelFunc = (call) => {
    const { x, indices } = call.inputs as unknown as { x: TensorInfo; indices: TensorInfo };
    const { axis, batchDims } = call.attrs as unknown as { axis: number; batchDims: number };
    if (axis !== 0 || batchDims !== 0 || x.dtype !== 'float32' || indices.dtype !== 'int32') return stock(call);
    const backend = call.backend as unknown as WasmBackend;
    const [count, ...row] = x.shape as [number, ...number[]];
    const width = util.sizeFromShape(row);
    const at = backend.dataIdMap.get(indices.dataId).memoryOffset;
    const places = Int32Array.from(new Int32Array(memoryOf(backend).buffer, at, util.sizeFromShape(indices.shape)));
    const beyond = places.find((place) => place < 0 || place >= count);
    util.assert(beyond === undefined, () => `GatherV2: the index value ${beyond} is not in [0, ${count - 1}]`);
    const y = allocate(backend, [...indices.shape, ...row]);
    // not before: room for y may have come of growing the memory
    const { buffer } = memoryOf(backend);
    const from = new Float32Array(buffer, addressOf(backend, x), count * width);
    const to = new Float32Array(buffer, addressOf(backend, y), places.length * width);
    places.forEach((place, k) => to.set(from.subarray(place * width, (place + 1) * width), k * width));
    return y;
  };
  unregisterKernel('GatherV2', 'wasm');
  registerKernel({ ...own, kernelFunc }); // with what the backend calls to set up its own
}
