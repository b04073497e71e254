import * as tfl from '@tensorflow/tfjs-layers';
import type { LayerCase } from '../layer-case.js';
import { at, build, mapValues, type Values } from '../values.js';

const shape = [2, 3, 5, 4];
const kinds = {
  add: (values: number[]) => values.reduce((sum, value) => sum + value, 0),
  average: (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length,
  multiply: (values: number[]) => values.reduce((product, value) => product * value, 1),
  maximum: (values: number[]) => Math.max(...values),
  minimum: (values: number[]) => Math.min(...values),
};

const merges: LayerCase[] = (Object.keys(kinds) as (keyof typeof kinds)[]).flatMap((kind) => [
  ...[2, 3, 5].map((count): LayerCase => ({
    name: `${kind} of ${count}`,
    inputs: Array.from({ length: count }, () => shape),
    make: () => tfl.layers[kind](),
    reference: (inputs) => mapValues(inputs[0]!, (_, index) => kinds[kind](inputs.map(({ data }) => data[index]!))),
  })),
  // as a squeeze-and-excitation block does
  {
    name: `${kind} of images and one value per channel`,
    inputs: [shape, [2, 1, 1, 4]],
    make: () => tfl.layers[kind](),
    reference: ([x, other]) =>
      build(shape, (position) => kinds[kind]([at(x!, position), at(other!, [position[0]!, 0, 0, position[3]!])])),
  } satisfies LayerCase,
]);

const joined = (parts: readonly Values[], axis: number): Values => {
  const sides = parts.map((part) => part.shape[axis]!);
  const total = parts[0]!.shape.map((side, at) => (at === axis ? sides.reduce((a, b) => a + b) : side));
  return build(total, (position) => {
    let place = position[axis]!;
    let which = 0;
    while (place >= sides[which]!) place -= sides[which++]!;
    return at(
      parts[which]!,
      position.map((index, each) => (each === axis ? place : index)),
    );
  });
};

const concatenations: LayerCase[] = [1, 2, 3, -1].flatMap((axis) =>
  [2, 4].map((count): LayerCase => {
    const along = axis < 0 ? 3 : axis;
    return {
      name: `concatenate ${count} along axis ${axis}`,
      inputs: Array.from({ length: count }, (_, index) =>
        shape.map((side, each) => (each === along ? side + index : side)),
      ),
      make: () => tfl.layers.concatenate({ axis }),
      reference: (inputs) => joined(inputs, along),
    };
  }),
);

const dots: LayerCase[] = [
  {
    name: 'dot of rows',
    inputs: [[3, 5], [3, 5]],
    make: () => tfl.layers.dot({ axes: 1 }),
    reference: ([a, b]) =>
      build([3, 1], ([row]) =>
        [0, 1, 2, 3, 4].reduce((sum, k) => sum + at(a!, [row!, k]) * at(b!, [row!, k]), 0),
      ),
  },
  {
    name: 'dot of matrices',
    inputs: [[2, 3, 4], [2, 4, 5]],
    make: () => tfl.layers.dot({ axes: [2, 1] }),
    reference: ([a, b]) =>
      build([2, 3, 5], ([image, row, column]) =>
        [0, 1, 2, 3].reduce((sum, k) => sum + at(a!, [image!, row!, k]) * at(b!, [image!, k, column!]), 0),
      ),
  },
]; // prettier-ignore

/** Layers with several inputs. */
export const merging: LayerCase[] = [...merges, ...concatenations, ...dots];
