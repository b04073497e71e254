import type { layers } from '@tensorflow/tfjs-layers';
import { at, build, mapValues, type Values } from './values.js';

export type Layer = layers.Layer;

/** A layer with inputs and the right result. */
export interface LayerCase {
  readonly name: string;
  readonly make: () => Layer;
  /** Shapes of its inputs, batch included. */
  readonly inputs: readonly (readonly number[])[];
  /** What the values of inputs are multiplied by, 1 if not given. */
  readonly scale?: number;
  /** The layer's output in double precision. Weights come in the layer's own order. */
  readonly reference: (inputs: readonly Values[], weights: readonly Values[]) => Values;
}

/** Adds a value per channel, where the layer has such weights. */
export const addBias = (y: Values, bias: Values | undefined): Values =>
  bias ? mapValues(y, (value, index) => value + bias.data[index % bias.data.length]!) : y;

/** A tensor with its axes in another order. */
export const transposed = (values: Values, axes: readonly number[]): Values =>
  build(
    axes.map((axis) => values.shape[axis]!),
    (position) =>
      at(
        values,
        axes.map((_, axis) => position[axes.indexOf(axis)]!),
      ),
  );

/** `f` of images [batch, height, width, channels], for images [batch, channels, height, width]. */
export const channelsFirst = (f: (x: Values) => Values): ((x: Values) => Values) => {
  return (x) => transposed(f(transposed(x, [0, 2, 3, 1])), [0, 3, 1, 2]);
};
