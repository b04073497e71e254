import type { TensorInfo } from '../../tensor/index.js';
import { addressOf, allocate, memoryOf } from './module.js';
import type { WasmBackend } from './module.js';

/**
 * Sums the rows of x that have the same id (the gradient of `tf.gather`, which the backend lacks).
 * Ids outside [0, segments) are dropped, as in TensorFlow.
 */
export function segmentSum(
  backend: WasmBackend,
  { x, ids }: { x: TensorInfo; ids: TensorInfo },
  segments: number,
): TensorInfo {
  const rows = ids.shape[0] ?? 1;
  const width = x.shape.slice(1).reduce((product, side) => product * side, 1);
  const output = allocate(backend, [segments, ...x.shape.slice(1)]);
  const { buffer } = memoryOf(backend);
  const source = new Float32Array(buffer, addressOf(backend, x), rows * width);
  const target = new Float32Array(buffer, addressOf(backend, output), segments * width);
  const id = new Int32Array(buffer, backend.dataIdMap.get(ids.dataId).memoryOffset, rows);
  target.fill(0);
  for (let row = 0; row < rows; row++) {
    const segment = id[row]!;
    if (segment < 0 || segment >= segments) continue;
    for (let column = 0; column < width; column++) target[segment * width + column]! += source[row * width + column]!;
  }
  return output;
}
