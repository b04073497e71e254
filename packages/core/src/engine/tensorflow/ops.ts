import type { NativeBinding, OpAttribute } from './binding.js';

/** Geometry of a 2-D convolution: strides down and across, dilations likewise, zeros above, below, left and right. */
export interface ConvGeometry {
  readonly strides: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly dilations?: readonly [number, number];
}

/** Attributes of TensorFlow's convolution op and its two gradient ops, which share them. NHWC. */
export function convAttributes(
  binding: NativeBinding,
  { strides, padding, dilations = [1, 1] }: ConvGeometry,
): OpAttribute[] {
  const none = padding.every((zeros) => zeros === 0);
  return [
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'strides', type: binding.TF_ATTR_INT, value: [1, ...strides, 1] },
    { name: 'use_cudnn_on_gpu', type: binding.TF_ATTR_BOOL, value: true },
    { name: 'padding', type: binding.TF_ATTR_STRING, value: none ? 'VALID' : 'EXPLICIT' },
    { name: 'explicit_paddings', type: binding.TF_ATTR_INT, value: none ? [] : [0, 0, ...padding, 0, 0] },
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
