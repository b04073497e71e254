import * as tfl from '@tensorflow/tfjs-layers';
import { channelsFirst, transposed, type LayerCase } from '../layer-case.js';
import { at, build, type Values } from '../values.js';

type Pair = [number, number];

const clamp = (value: number, high: number): number => Math.min(Math.max(value, 0), high);

/** Images at another size: pixel i of an axis comes from place `from(i)` of it. */
function resized(x: Values, { size, corners, nearest }: { size: Pair; corners: boolean; nearest: boolean }): Values {
  const [batch, ...rest] = x.shape;
  const sides = rest.slice(0, 2);
  const place = (index: number, axis: number): number => {
    const [from, to] = [sides[axis]!, size[axis]!];
    return corners && to > 1 ? (index * (from - 1)) / (to - 1) : (index * from) / to;
  };
  return build([batch!, ...size, x.shape[3]!], ([image, row, column, channel]) => {
    const places = [place(row!, 0), place(column!, 1)];
    const pixel = (rows: number, columns: number): number =>
      at(x, [image!, clamp(rows, sides[0]! - 1), clamp(columns, sides[1]! - 1), channel!]);
    if (nearest) {
      const round = corners ? Math.round : Math.floor;
      return pixel(round(places[0]!), round(places[1]!));
    }
    const [top, left] = places.map(Math.floor) as [number, number];
    const [down, right] = [places[0]! - top, places[1]! - left];
    const rowOf = (at: number): number => pixel(at, left) * (1 - right) + pixel(at, left + 1) * right;
    return rowOf(top) * (1 - down) + rowOf(top + 1) * down;
  });
}

const interpolations = ['nearest', 'bilinear'] as const;

const upsamplings: LayerCase[] = interpolations.flatMap((interpolation) => [
  ...([[1, 1], [2, 2], [3, 2], [1, 4], [5, 3]] as Pair[]).flatMap((size) =>
    [[2, 3, 5, 2], [1, 4, 4, 3], [1, 1, 6, 1], [1, 5, 2, 4]].map((shape): LayerCase => ({
      name: `upSampling2d ${size.join('x')} of ${shape.join('x')}, ${interpolation}`,
      inputs: [shape],
      make: () => tfl.layers.upSampling2d({ size, interpolation }),
      reference: ([x]) => {
        const to: Pair = [shape[1]! * size[0], shape[2]! * size[1]];
        return resized(x!, { size: to, corners: false, nearest: interpolation === 'nearest' });
      },
    })),
  ),
  {
    name: `upSampling2d, channelsFirst, ${interpolation}`,
    inputs: [[2, 2, 3, 5]],
    make: () => tfl.layers.upSampling2d({ size: [2, 3], interpolation, dataFormat: 'channelsFirst' }),
    reference: ([x]) =>
      channelsFirst((images) =>
        resized(images, { size: [6, 15], corners: false, nearest: interpolation === 'nearest' }),
      )(x!),
  },
  ...([[7, 4], [2, 9], [5, 3], [1, 1], [12, 13]] as Pair[]).flatMap((size) =>
    [false, true].map((cropToAspectRatio): LayerCase => ({
      name: `resizing 5x3 to ${size.join('x')}, ${interpolation}, corners ${cropToAspectRatio ? 'not ' : ''}aligned`,
      inputs: [[2, 5, 3, 2]],
      make: () =>
        tfl.layers.resizing({ height: size[0], width: size[1], interpolation, cropToAspectRatio }),
      reference: ([x]) => resized(x!, { size, corners: !cropToAspectRatio, nearest: interpolation === 'nearest' }),
    })),
  ),
]); // prettier-ignore

/** A window of images, zeros where it is outside of them. */
const cut = (x: Values, [top, left]: Pair, [height, width]: Pair): Values =>
  build([x.shape[0]!, height, width, x.shape[3]!], ([image, row, column, channel]) => {
    const [r, c] = [row! + top, column! + left];
    const outside = r < 0 || c < 0 || r >= x.shape[1]! || c >= x.shape[2]!;
    return outside ? 0 : at(x, [image!, r, c, channel!]);
  });

const image = [2, 5, 7, 3];
const same = (shape: number[], x: Values): Values => ({ shape, data: x.data });

const borders: LayerCase[] = [
  ...([[[1, 2], [0, 3]], [[0, 0], [1, 1]]] as [Pair, Pair][]).flatMap((sides): LayerCase[] => [
    {
      name: `zeroPadding2d ${sides.join(' ')}`,
      inputs: [image],
      make: () => tfl.layers.zeroPadding2d({ padding: sides }),
      reference: ([x]) =>
        cut(x!, [-sides[0][0], -sides[1][0]], [5 + sides[0][0] + sides[0][1], 7 + sides[1][0] + sides[1][1]]),
    },
    {
      name: `cropping2D ${sides.join(' ')}`,
      inputs: [image],
      make: () => tfl.layers.cropping2D({ cropping: sides }),
      reference: ([x]) =>
        cut(x!, [sides[0][0], sides[1][0]], [5 - sides[0][0] - sides[0][1], 7 - sides[1][0] - sides[1][1]]),
    },
  ]),
  {
    name: 'zeroPadding2d, channelsFirst',
    inputs: [[2, 3, 5, 7]],
    make: () => tfl.layers.zeroPadding2d({ padding: [[1, 0], [2, 3]], dataFormat: 'channelsFirst' }),
    reference: ([x]) => channelsFirst((images) => cut(images, [-1, -2], [6, 12]))(x!),
  },
  {
    name: 'cropping2D, channelsFirst',
    inputs: [[2, 3, 5, 7]],
    make: () => tfl.layers.cropping2D({ cropping: [[1, 0], [2, 3]], dataFormat: 'channelsFirst' }),
    reference: ([x]) => channelsFirst((images) => cut(images, [1, 2], [4, 2]))(x!),
  },
]; // prettier-ignore

const moves: LayerCase[] = [
  {
    name: 'flatten',
    inputs: [image],
    make: () => tfl.layers.flatten(),
    reference: ([x]) => same([2, 105], x!),
  },
  {
    name: 'flatten, channelsFirst',
    inputs: [[2, 3, 5, 7]],
    make: () => tfl.layers.flatten({ dataFormat: 'channelsFirst' }),
    reference: ([x]) => same([2, 105], transposed(x!, [0, 2, 3, 1])),
  },
  {
    name: 'reshape',
    inputs: [image],
    make: () => tfl.layers.reshape({ targetShape: [7, -1] }),
    reference: ([x]) => same([2, 7, 15], x!),
  },
  ...[[2, 3, 1], [3, 1, 2], [1, 3, 2]].map((dims): LayerCase => ({
    name: `permute ${dims.join(' ')}`,
    inputs: [image],
    make: () => tfl.layers.permute({ dims }),
    reference: ([x]) => transposed(x!, [0, ...dims]),
  })),
  {
    name: 'repeatVector',
    inputs: [[3, 5]],
    make: () => tfl.layers.repeatVector({ n: 4 }),
    reference: ([x]) => build([3, 4, 5], ([row, , column]) => at(x!, [row!, column!])),
  },
]; // prettier-ignore

/** Layers that move and repeat values. */
export const shapings: LayerCase[] = [...upsamplings, ...borders, ...moves];
