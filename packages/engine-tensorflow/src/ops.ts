import type { NativeBinding, OpAttribute } from './binding.js';

/** Geometry of a 2-D convolution: strides down and across, dilations likewise, zeros above, below, left and right. */
export interface ConvGeometry {
  readonly strides: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly dilations?: readonly [number, number];
}

/** One of TensorFlow's three names for padding. */
export type PaddingName = 'VALID' | 'SAME' | 'EXPLICIT';

const samePadding = (input: number, filter: number, stride: number, dilation: number): [number, number] => {
  const total = Math.max((Math.ceil(input / stride) - 1) * stride + dilation * (filter - 1) + 1 - input, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
};

/**
 * The name that TensorFlow has for a geometry's padding. Its gradients of explicitly padded convolutions do not use
 * oneDNN and take two to seven times as long, so the other names matter.
 */
export function paddingName(
  { strides, padding, dilations = [1, 1] }: ConvGeometry,
  shapes: { input: readonly number[]; filter: readonly number[] },
): PaddingName {
  if (padding.every((zeros) => zeros === 0)) return 'VALID';
  const [top, bottom] = samePadding(shapes.input[1]!, shapes.filter[0]!, strides[0], dilations[0]);
  const [left, right] = samePadding(shapes.input[2]!, shapes.filter[1]!, strides[1], dilations[1]);
  const same = [top, bottom, left, right];
  return padding.every((zeros, side) => zeros === same[side]) ? 'SAME' : 'EXPLICIT';
}

/** Attributes of TensorFlow's convolution op and its two gradient ops, which share them. NHWC. */
export function convAttributes(
  binding: NativeBinding,
  { strides, padding, dilations = [1, 1] }: ConvGeometry,
  name: PaddingName,
): OpAttribute[] {
  return [
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'strides', type: binding.TF_ATTR_INT, value: [1, ...strides, 1] },
    { name: 'use_cudnn_on_gpu', type: binding.TF_ATTR_BOOL, value: true },
    { name: 'padding', type: binding.TF_ATTR_STRING, value: name },
    {
      name: 'explicit_paddings',
      type: binding.TF_ATTR_INT,
      value: name === 'EXPLICIT' ? [0, 0, ...padding, 0, 0] : [],
    },
    { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
    { name: 'dilations', type: binding.TF_ATTR_INT, value: [1, ...dilations, 1] },
  ];
}

/** Attributes of FusedBatchNormV3 and FusedBatchNormGradV3, NHWC. */
export function batchNormAttributes(
  binding: NativeBinding,
  { epsilon, training }: { epsilon: number; training: boolean },
): OpAttribute[] {
  return [
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'U', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'epsilon', type: binding.TF_ATTR_FLOAT, value: epsilon },
    { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
    { name: 'is_training', type: binding.TF_ATTR_BOOL, value: training },
  ];
}
