import type { DataType } from '@tensorflow/tfjs-core';
import { dtypeCodes, type Argument, type Handle, type NativeDtype } from './native.js';

/** Operators of one result, by the names that kernels call them. */
const single = {
  abs: 'abs',
  add: 'add.Tensor',
  addScalar: 'add.Scalar',
  addcmul: 'addcmul',
  alias: 'alias',
  all: 'all.dims',
  amax: 'amax',
  amin: 'amin',
  any: 'any.dims',
  arange: 'arange.start_step',
  argmax: 'argmax',
  argmin: 'argmin',
  avgPool2d: 'avg_pool2d',
  avgPool2dBackward: 'avg_pool2d_backward',
  avgPool3d: 'avg_pool3d',
  avgPool3dBackward: 'avg_pool3d_backward',
  bincount: 'bincount',
  cat: 'cat',
  clamp: 'clamp',
  clampMin: 'clamp_min',
  clone: 'clone',
  convolution: 'convolution',
  cumprod: 'cumprod',
  cumsum: 'cumsum',
  diagEmbed: 'diag_embed',
  div: 'div.Tensor',
  divScalar: 'div.Scalar',
  elu: 'elu',
  eq: 'eq.Tensor',
  exp: 'exp',
  expandCopy: 'expand_copy',
  flip: 'flip',
  floor: 'floor',
  full: 'full',
  gtScalar: 'gt.Scalar',
  indexPut: 'index_put',
  indexSelect: 'index_select',
  isnan: 'isnan',
  leakyRelu: 'leaky_relu',
  log: 'log',
  logSoftmax: '_log_softmax',
  logicalAnd: 'logical_and',
  matmul: 'matmul',
  maxPool2dBackward: 'max_pool2d_with_indices_backward',
  maxPool3dBackward: 'max_pool3d_with_indices_backward',
  maximum: 'maximum',
  mean: 'mean.dim',
  minimum: 'minimum',
  mul: 'mul.Tensor',
  mulScalar: 'mul.Scalar',
  narrow: 'narrow',
  neg: 'neg',
  negative: 'neg',
  padConstant: 'constant_pad_nd',
  permute: 'permute',
  powScalar: 'pow.Tensor_Scalar',
  prodDim: 'prod.dim_int',
  relu: 'relu',
  repeat: 'repeat',
  reshape: 'reshape',
  rsqrt: 'rsqrt',
  rsubScalar: 'rsub.Scalar',
  sigmoid: 'sigmoid',
  sign: 'sign',
  slice: 'slice.Tensor',
  softmax: '_softmax',
  square: 'square',
  stack: 'stack',
  sub: 'sub.Tensor',
  subScalar: 'sub.Scalar',
  sum: 'sum.dim_IntList',
  thresholdBackward: 'threshold_backward',
  to: 'to.dtype',
  tril: 'tril',
  triu: 'triu',
  unsqueeze: 'unsqueeze',
  where: 'where.self',
  zeros: 'zeros',
} as const;

const several = {
  convolutionBackward: 'convolution_backward',
  maxPool2d: 'max_pool2d_with_indices',
  maxPool3d: 'max_pool3d_with_indices',
  nativeBatchNorm: 'native_batch_norm',
  nativeBatchNormBackward: 'native_batch_norm_backward',
  sort: 'sort.stable',
  splitSizes: 'split_with_sizes',
  unbind: 'unbind.int',
} as const;

type Run<Result> = (...given: readonly Argument[]) => Result;

/** PyTorch's operators that kernels are made of. A result's last place is `undefined` where nothing was asked for. */
export type Aten = { readonly [Name in keyof typeof single]: Run<Handle> } & {
  readonly [Name in keyof typeof several]: Run<Handle[]>;
};

export function atenOperators(operator: <Result>(name: string) => Run<Result>): Aten {
  const table = Object.entries({ ...single, ...several }).map(([name, aten]) => [name, operator(`aten::${aten}`)]);
  return Object.fromEntries(table) as Aten;
}

const scalarTypes: Readonly<Record<NativeDtype, number>> = { float32: 6, int32: 3, bool: 11 };

/** PyTorch's number of its 64-bit integers, which it wants for indices and TensorFlow.js does not have. */
export const int64 = 4;

/** Whether native tensors have a type. */
export const isNativeDtype = (dtype: DataType): dtype is NativeDtype => dtype in dtypeCodes;

/** PyTorch's number of a type. */
export function scalarType(dtype: DataType): number {
  if (!isNativeDtype(dtype)) throw new Error(`the torch engine computes nothing with tensors of type ${dtype}`);
  return scalarTypes[dtype];
}
