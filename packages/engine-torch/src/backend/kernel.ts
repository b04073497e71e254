import { registerKernel } from '@tensorflow/tfjs-core';
import type { DataType, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { atenOperators, isNativeDtype, type Aten } from './aten.js';
import { memoryError } from '../memory.js';
import type { TorchBackend } from './backend.js';
import { dtypeCodes, type Argument, type Handle, type Native, type NativeDtype, type Values } from './native.js';

/** TensorFlow.js's name of the backend. */
export const backendName = 'torch';

/** A kernel's result: a native tensor that becomes one of TensorFlow.js's, or one of these already. */
export type Output = Handle | TensorInfo;

type Inputs = Record<string, TensorInfo>;
type Compute = (inputs: Inputs, attrs: NamedAttrMap) => Output | Output[];

/** What kernels are written with. */
export interface Kit {
  readonly native: Native;
  readonly backend: TorchBackend;
  /** PyTorch's operators; their results belong to the kernel that calls them. */
  readonly aten: Aten;
  /** Registers a kernel. Whatever native tensors it makes and does not return are freed when it ends. */
  kernel(name: string, compute: Compute): void;
  /** Runs work on native tensors outside of kernels; those that it makes with the kit are freed when it ends. */
  scope<Result>(work: () => Result): Result;
  /** Another of PyTorch's operators, `aten::add.Tensor`. */
  operator<Result = Handle>(name: string): (...given: readonly Argument[]) => Result;
  /** A result of a function of the addon's, likewise. */
  own(handle: Handle): Handle;
  /** An input on the device, in its shape. */
  at(input: TensorInfo): Handle;
  /** Two inputs that are computed with element by element; a constant may stay a number on the host. */
  pair(a: TensorInfo, b: TensorInfo): [Handle, Handle];
  /** One number, as an argument of an operator. */
  scalar(value: number, dtype?: DataType): Handle;
  /** A small tensor that is the same at each call, made at the first and kept. */
  constant(name: string, dtype: NativeDtype, make: () => readonly [shape: readonly number[], values: Values]): Handle;
  /** An input's data under another shape, without a copy. */
  share(input: TensorInfo, shape: readonly number[]): TensorInfo;
}

export function kernelKit(native: Native, backend: TorchBackend): Kit {
  /** What the kernel that runs has made. */
  let made: Handle[] = [];
  const constants = new Map<string, Handle>();

  const own = (handle: Handle): Handle => {
    made.push(handle);
    return handle;
  };
  const scalar = (value: number, dtype: DataType = 'float32'): Handle => {
    if (!isNativeDtype(dtype)) throw new Error(`the torch engine computes nothing with tensors of type ${dtype}`);
    return own(native.full([], value, dtypeCodes[dtype], true));
  };
  const operator = <Result>(fullName: string) => {
    const [name, overload] = fullName.split('.') as [string, string | undefined];
    const run = native.operator(name, overload);
    return (...given: readonly Argument[]): Result => {
      const result = run(...given);
      ownAll(result);
      return result as Result;
    };
  };
  const reshape = native.operator('aten::reshape') as (x: Handle, shape: readonly number[]) => Handle;
  const at = (input: TensorInfo): Handle => {
    const handle = backend.handleOf(input.dataId);
    return backend.hasShape(input) ? handle : own(reshape(handle, input.shape));
  };
  const covers = (x: TensorInfo, other: TensorInfo): boolean =>
    x.shape.length >= other.shape.length &&
    other.shape.every((length, axis) => length === 1 || length === x.shape.at(axis - other.shape.length));
  /** `input`, or one number in its place where the shape of `other` is that of the result anyway. */
  const operand = (input: TensorInfo, other: TensorInfo): Handle => {
    const constant = backend.constantOf(input.dataId);
    if (constant === undefined || backend.constantOf(other.dataId) !== undefined || !covers(other, input))
      return at(input);
    return scalar(constant, input.dtype);
  };
  const adopt = (output: Output): TensorInfo => {
    if (typeof output === 'object') return output;
    const place = made.lastIndexOf(output);
    if (place < 0) throw new Error('a kernel returned a tensor that it did not make');
    const info = backend.adopt(output);
    made.splice(place, 1);
    return info;
  };
  const scope = <Result>(work: () => Result): Result => {
    const outer = made;
    made = [];
    try {
      return work();
    } catch (error) {
      throw memoryError(error, native);
    } finally {
      if (made.length > 0) native.dispose(made);
      made = outer;
    }
  };
  const ownAll = (result: unknown): void => {
    if (typeof result === 'number') own(result as Handle);
    else if (Array.isArray(result)) result.forEach(ownAll);
  };

  return {
    native,
    backend,
    aten: atenOperators(operator),
    operator,
    own,
    scalar,
    at,
    pair: (a, b) => [operand(a, b), operand(b, a)],
    constant(name, dtype, make) {
      if (!constants.has(name)) constants.set(name, native.write(...make(), dtypeCodes[dtype]));
      return constants.get(name)!;
    },
    share(input, shape) {
      backend.incRef(input.dataId);
      return { dataId: input.dataId, shape: [...shape], dtype: input.dtype };
    },
    scope,
    kernel(kernelName, compute) {
      registerKernel({
        kernelName,
        backendName,
        kernelFunc: ({ inputs, attrs }) =>
          scope(() => {
            const output = compute(inputs as Inputs, attrs ?? {});
            return Array.isArray(output) ? output.map(adopt) : adopt(output);
          }),
      });
    },
  };
}
