import { backend_util, broadcastTo, getKernel, tidy, util } from '../../tensor/index.js';
import type { KernelConfig, KernelFunc, Tensor, TensorInfo } from '../../tensor/index.js';
import type { SharedKernel } from './helper.js';
import { addressOf, allocate, FLOAT_WORK, kernelsOn } from './module.js';
import type { WasmBackend } from './module.js';

/** TensorFlow.js's operations that threads share here, and their kernels. */
export const arithmetic = {
  Add: 'addUnit',
  Sub: 'subtractUnit',
  Multiply: 'multiplyUnit',
  RealDiv: 'divideUnit',
  Maximum: 'maximumUnit',
  Minimum: 'minimumUnit',
} as const satisfies Record<string, SharedKernel>;

/** The backend's own take a number for NaN's maximum or minimum with it, so that divergence looks like an answer. */
const hidesNan: readonly string[] = ['Maximum', 'Minimum'];

/** Values from which on our kernels are used; below, it does not matter. */
const LEAST = 16_384;
/** Values of a unit. */
const BLOCK = 8192;
/** Shorter rows are not worth a loop of their own. */
const LEAST_ROW = 16;

/** Bytes from one row, and from one column, of an operand to the next; see packages/core/assembly/arithmetic.ts. */
type Steps = readonly [row: number, column: number];

/**
 * How the operands are read if both have the result's shape, or one of them has and the other is a single value or a vector along the
 * last axis.
 */
function stepsOf(
  [a, b]: readonly [TensorInfo, TensorInfo],
  size: number,
): { width: number; a: Steps; b: Steps } | undefined {
  const [sizeA, sizeB] = [util.sizeFromShape(a.shape), util.sizeFromShape(b.shape)];
  if (Math.max(sizeA, sizeB) !== size) return undefined;
  const other = Math.min(sizeA, sizeB);
  const repeated = sizeA < sizeB ? a : b;
  const lastAxis = repeated.shape.at(-1) ?? 1;
  if (other !== size && other !== 1 && (other !== lastAxis || other < LEAST_ROW)) return undefined;
  const width = other === size || other === 1 ? BLOCK : other;
  const steps = (own: number): Steps => (own === 1 ? [0, 0] : own === size ? [width * 4, 4] : [0, 4]);
  return { width, a: steps(sizeA), b: steps(sizeB) };
}

/** Both operands in the result's shape. */
const spreadOver = ({ a, b }: { a: TensorInfo; b: TensorInfo }, shape: number[]) => ({
  a: broadcastTo(a as Tensor, shape),
  b: broadcastTo(b as Tensor, shape),
});

/** The kernel `name` that shares its work if it can, and calls the backend's own if not (other dtypes, other broadcasts). */
export function sharedArithmetic(name: keyof typeof arithmetic): KernelConfig {
  const own = getKernel(name, 'wasm');
  const stock = own.kernelFunc;
  const kernelFunc: KernelFunc = (call) => {
    const { a, b } = call.inputs as unknown as { a: TensorInfo; b: TensorInfo };
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return stock(call);
    const shape = backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const size = util.sizeFromShape(shape);
    const ours = hidesNan.includes(name);
    const steps = size < LEAST && !ours ? undefined : stepsOf([a, b], size);
    if (!steps && ours) return tidy(() => kernelFunc({ ...call, inputs: spreadOver({ a, b }, shape) }) as Tensor);
    if (!steps) return stock(call);
    const backend = call.backend as unknown as WasmBackend;
    const { width } = steps;
    const [atA, atB] = [addressOf(backend, a), addressOf(backend, b)];
    const y = allocate(backend, shape);
    const unitRows = Math.max(1, Math.round(BLOCK / width));
    const rows = Math.ceil(size / width);
    const parameters = [atA, atB, addressOf(backend, y), size, width, unitRows, ...steps.a, ...steps.b];
    kernelsOn(backend).share(arithmetic[name], parameters, {
      units: Math.ceil(rows / unitRows),
      work: 3 * size * FLOAT_WORK,
    });
    return y;
  };
  return { ...own, kernelFunc }; // with what the backend calls it to set up
}
