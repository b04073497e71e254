import { flagOf, typeOf } from './attributes.js';
import type { GraphNodes, Value } from './nodes.js';

/**
 * Minimal filtering F(2x2, 3x3) (Lavin and Gray, 2016; arXiv:1509.09308): 2x2 outputs of a 3x3 convolution with 16 products
 * in place of 36, each a matrix product over the channels. Along one axis, of 4 pixels d and 3 taps g:
 * `y = outputs ((taps g) * (pixels d))`.
 */
const pixels = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
const taps = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
];
const outputs = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];

/** A convolution by its sizes; images [height, width, channels]. */
export interface Filtering {
  readonly image: readonly [number, number, number];
  readonly filters: number;
}

/**
 * Is it faster than the library's convolution? Found so for small images with many channels: there rows are too short for
 * the library's kernels, and the transforms of large images cost more than the products save (docs/engines/tensorflow.md).
 */
export function filtersFaster(
  { image: [height, width, channels], filters }: Filtering,
  { kernel, stride, padding }: { kernel: number; stride: number; padding: number },
): boolean {
  const small = [height, width].every((size) => size % 2 === 0 && size <= 8);
  return kernel === 3 && stride === 1 && padding === 1 && small && Math.min(channels, filters) >= 256;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/**
 * Both transforms along an axis of `size` pixels with one zero on each side. With the filter mirrored its first and its last
 * transform change places, all that differs; so one transformed filter serves the convolution and its gradient.
 */
function axis(size: number, mirrored: boolean) {
  const place = (product: number) => (mirrored ? [3, 1, 2, 0] : [0, 1, 2, 3])[product]!;
  const inTile = (tile: number, pixel: number) => pixel - 2 * tile;
  return {
    tiles: size / 2,
    /** Of a pixel in a tile's product. */
    input: (product: number, tile: number, pixel: number) => pixels[place(product)]![inTile(tile, pixel) + 1] ?? 0,
    /** Of a tile's product in a pixel of the output. */
    output: (pixel: number, product: number, tile: number) => outputs[inTile(tile, pixel)]?.[place(product)] ?? 0,
  };
}

/** Matrices that take an image's pixels to [product, tile], and those to the output's pixels; both over two axes. */
function matrices(graph: GraphNodes, [height, width]: readonly [number, number], mirrored: boolean) {
  const [rows, columns] = [axis(height, mirrored), axis(width, mirrored)];
  const products = range(4).flatMap((a) => range(4).map((b) => [a, b] as const));
  const tiles = range(rows.tiles).flatMap((a) => range(columns.tiles).map((b) => [a, b] as const));
  const places = range(height).flatMap((a) => range(width).map((b) => [a, b] as const));
  const parts = products.flatMap((product) => tiles.map((tile) => ({ product, tile })));
  const input = () =>
    parts.flatMap(({ product: [a, b], tile: [s, t] }) =>
      places.map(([y, x]) => rows.input(a, s, y) * columns.input(b, t, x)),
    );
  const output = () =>
    places.flatMap(([y, x]) =>
      parts.map(({ product: [a, b], tile: [s, t] }) => rows.output(y, a, s) * columns.output(x, b, t)),
    );
  // layers and batches share them
  const name = `filtering ${height}x${width}${mirrored ? ' mirrored' : ''}`;
  return {
    tiles: tiles.length,
    input: graph.once(`${name} input`, () => graph.floats([parts.length, places.length], input())),
    output: graph.once(`${name} output`, () => graph.floats([places.length, parts.length], output())),
  };
}

const product = (graph: GraphNodes, a: Value, b: Value, transposed = false): Value =>
  graph.op('BatchMatMulV2', [a, b], { T: typeOf('float'), adj_x: flagOf(false), adj_y: flagOf(transposed) });

/** Exchanges the first two axes of four. */
const exchanged = (graph: GraphNodes, x: Value): Value =>
  graph.op('Transpose', [x, graph.integers([1, 0, 2, 3])], { T: typeOf('float'), Tperm: typeOf('int') });

/** Shape of a transformed filter: one matrix for each product. */
export const transformedShape = ({ image, filters }: Filtering): number[] => [16, image[2], filters];

/** A filter [3, 3, channels, filters] as the convolution and its gradient take it. */
export function transformedFilter(graph: GraphNodes, filter: Value, filtering: Filtering): Value {
  const square = taps.flatMap((rows) => taps.flatMap((columns) => rows.flatMap((r) => columns.map((c) => r * c))));
  const flat = graph.reshape(filter, [9, filtering.image[2] * filtering.filters]);
  return graph.reshape(product(graph, graph.floats([16, 9], square), flat), transformedShape(filtering));
}

function filtered(
  graph: GraphNodes,
  { x, filter, channels: [from, to], mirrored }: { x: Value; filter: Value; channels: number[]; mirrored: boolean },
  [height, width]: readonly [number, number, number],
): Value {
  const { input, output, tiles } = matrices(graph, [height, width], mirrored);
  const spread = product(graph, input, graph.reshape(x, [-1, height * width, from!]));
  const byProduct = exchanged(graph, graph.reshape(spread, [-1, 16, tiles, from!]));
  const products = product(graph, graph.reshape(byProduct, [16, -1, from!]), filter, mirrored);
  const byImage = exchanged(graph, graph.reshape(products, [16, -1, tiles, to!]));
  const y = product(graph, output, graph.reshape(byImage, [-1, 16 * tiles, to!]));
  return graph.reshape(y, [-1, height, width, to!]);
}

/** The convolution of images [batch, height, width, channels] with a transformed filter. */
export const filteredForward = (graph: GraphNodes, x: Value, filter: Value, { image, filters }: Filtering): Value =>
  filtered(graph, { x, filter, channels: [image[2], filters], mirrored: false }, image);

/** Its gradient in the images, for an output's gradient [batch, height, width, filters]. */
export const filteredGradient = (graph: GraphNodes, dy: Value, filter: Value, { image, filters }: Filtering): Value =>
  filtered(graph, { x: dy, filter, channels: [filters, image[2]], mirrored: true }, image);
