import { BulwarkError } from '@bulwark/core';

type Json = Record<string, unknown>;

/** Operations on tensors that are layers of the same name. */
const asLayers = new Set(['Add', 'Multiply', 'Maximum', 'Minimum']);

/** `scale x + offset` for an operation between images and a number, which comes first or second. */
function affine(kind: string, number: number, first: boolean): { scale: number; offset: number } | undefined {
  if (kind === 'Multiply') return { scale: number, offset: 0 };
  if (kind === 'Add') return { scale: 1, offset: number };
  if (kind === 'Subtract') return first ? { scale: -1, offset: number } : { scale: 1, offset: -number };
  return kind === 'TrueDivide' && !first ? { scale: 1 / number, offset: 0 } : undefined;
}

/** Did someone write an operation (`x * 2 - 1`) where layers are called? Keras 3 lists it as if it were one. */
export const isOperation = ({ module }: Json): boolean => /\.ops\./.test(String(module));

/**
 * An operation as the layer that computes it.
 * @param node arguments of its only call: links as arrays, everything else as it is
 * @throws BulwarkError MODEL_INVALID for one that is no layer of TensorFlow.js
 */
export function operationAsLayer(
  kind: string,
  name: string,
  node: readonly unknown[],
): { class_name: string; config: Json; links: unknown[] } {
  // prettier-ignore
  const links = node.filter(Array.isArray);
  if (links.length === node.length && links.length > 1 && asLayers.has(kind))
    return { class_name: kind, config: { name }, links };
  const at = node.findIndex((value) => typeof value === 'number');
  const by =
    node.length === 2 && links.length === 1 && at >= 0 ? affine(kind, node[at] as number, at === 0) : undefined;
  if (by) return { class_name: 'Rescaling', config: { name, ...by }, links };
  throw new BulwarkError(
    'MODEL_INVALID',
    `${name} is the operation ${kind}, not a layer, and TensorFlow.js has none that computes it`,
    {
      hint: 'write it as a layer of Keras (keras.layers.Add, Rescaling, ...) and convert the model again',
    },
  );
}
