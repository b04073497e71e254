import type { GraphBuilder, NodeId } from '@bulwark/core';

/** The activations of published robust models. */
export const activationNames = ['relu', 'silu'] as const;
export type Activation = (typeof activationNames)[number];

/** Applies an activation by its name. */
export const activate = (build: GraphBuilder, activation: Activation, x: NodeId): NodeId =>
  activation === 'relu' ? build.relu(x) : build.silu(x);

/**
 * A 3x3 convolution that pads as TensorFlow's SAME does: on all sides at stride 1, at bottom and right only at stride 2. PyTorch's symmetric padding
 * would shift every halved map by one pixel.
 */
export function sameConv(
  build: GraphBuilder,
  name: string,
  x: NodeId,
  { filters, stride }: { filters: number; stride: number },
): NodeId {
  if (stride === 1) return build.conv(name, x, { filters, kernel: 3 });
  return build.conv(name, build.pad(x, { bottom: 1, right: 1 }), { filters, kernel: 3, stride, padding: 0 });
}
