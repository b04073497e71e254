import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from '../backend.js';
import { flat, typeOf, widthOf, type RunShader, type Width } from '../shader.js';
import { type Extent, type Tile } from './tile.js';
import type { Factor, TiledProduct } from './tiled-product.js';

/** What happens to a sum before it is written. */
export interface After {
  readonly bias: boolean;
  readonly relu: boolean;
}

const lanes = ['x', 'y', 'z', 'w'] as const;

const zero = (width: Width): string => (width === 4 ? 'vec4<f32>(0.0)' : '0.0');

/** A row of images that is in none: what there would be to read counts as 0. */
export const outside = 'const outside : i32 = -1000000;';

/** Returns what an input has `at` its place if that is `inside`, else 0: without a branch, so that reads do not wait for each other. */
export const readIf = (name: string, width: Width): string =>
  `return select(${typeOf(width)}(0.0), read${name}(select(0, at / ${width}, inside)), inside);`;

/** Function `<reader>Four(place, term)`, four terms at a time where those do not lie side by side. */
export const inFours = (reader: string, width: Width, place = 'vec3<i32>'): string =>
  width === 4
    ? ''
    : `fn ${reader}Four(place : ${place}, term : i32) -> vec4<f32> {
         var four = vec4<f32>(0.0);
         for (var i = 0; i < 4; i++) { four[i] = ${reader}(place, tapOf(term + i)); }
         return four;
       }`;

/** A factor that is read along its terms: `reader(place, tap)` at `placeOf(side)` and `tapOf(term)`. */
export const alongTerms = (reader: string, placeOf: string, width: Width): Factor => ({
  of: 'terms',
  prepare: (side, which) =>
    [0, 1, 2, 3].map((of) => `let place${which}${of} = ${placeOf}(${side} + ${of});`).join('\n'),
  begin: (term, which) => `let tap${which} = ${width === 4 ? `tapOf(${term})` : term};`,
  at: (which, of) => `${width === 4 ? reader : `${reader}Four`}(place${which}${of}, tap${which})`,
});

/** Function `<name>At(column, term)`, the `vec4` of a matrix [terms, columns] there. */
export const columnsAt = (name: string, width: Width): string => {
  const lower = name[0]!.toLowerCase() + name.slice(1);
  const one = (called: string) => `
  fn ${called}(column : i32, term : i32) -> ${typeOf(width)} {
    let inside = column < uniforms.columns && term < uniforms.terms;
    let at = term * uniforms.columns + column;
    ${readIf(name, width)}
  }`;
  if (width === 4) return one(`${lower}At`);
  return `${one(`${lower}One`)}
  fn ${lower}At(column : i32, term : i32) -> vec4<f32> {
    var four = vec4<f32>(0.0);
    for (var i = 0; i < 4; i++) { four[i] = ${lower}One(column + i, term); }
    return four;
  }`;
};

/**
 * The tile and the part of the terms that a group computes. Groups are counted along the first dimension of the dispatch, then the second,
 * neighbours with the same rows; the third holds the parts.
 */
export const origin = (tile: Tile): string => `
  let tilesAcross = (uniforms.columns + ${tile.columns - 1}) / ${tile.columns};
  let group = i32(workgroupId.y * numWorkgroups.x + workgroupId.x);
  let firstRow = (group / tilesAcross) * ${tile.rows};
  let firstColumn = (group % tilesAcross) * ${tile.columns};
  let part = i32(workgroupId.z) % uniforms.parts;
  let product = i32(workgroupId.z) / uniforms.parts;
  let firstTerm = part * uniforms.termsOfPart;
  let turns = uniforms.termsOfPart / ${tile.depth};`;

/** Most groups along one dimension of a dispatch that every adapter has. */
const mostGroups = 65535;

export function groupsOf(
  { rows, columns, products = 1 }: Extent,
  { tile, parts }: { tile: Tile; parts: number },
): [number, number, number] {
  const groups = Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);
  const down = Math.ceil(groups / mostGroups);
  return [Math.ceil(groups / down), down, parts * products];
}

/** Expression of what is written at `column`, of a value. */
export const epilogue =
  ({ bias, relu }: After, width: Width) =>
  (value: string, column: string): string => {
    const sum = bias ? `${value} + readBias(${width === 4 ? `${column} / 4` : column})` : value;
    return relu ? `max(${sum}, ${zero(width)})` : sum;
  };

/** Writes rows of a result [parts, all rows, columns]. `lineOf` is a row's number in a part there, negative for rows that are none. */
export const writeRow =
  ({
    width,
    after,
    lineOf,
  }: {
    width: Width;
    after: ReturnType<typeof epilogue>;
    lineOf: string;
  }): TiledProduct['write'] =>
  (row, blocks) => `
    let at = ${lineOf.replace('row', row)};
    if (at >= 0) {
      let line = (part * uniforms.lines + at) * uniforms.columns;
      ${blocks
        .flatMap(({ column, value }) =>
          width === 4
            ? `if (${column} < uniforms.columns) { result[(line + ${column}) / 4] = ${after(value, column)}; }`
            : lanes.map(
                (lane, i) =>
                  `if (${column} + ${i} < uniforms.columns) { result[line + ${column} + ${i}] = ${after(`${value}.${lane}`, `(${column} + ${i})`)}; }`,
              ),
        )
        .join('\n')}
    }`;

/** Adds up the parts of a product, [parts, size], with what follows; frees them. */
export function finish(
  run: RunShader,
  backend: WebgpuBackend,
  given: { sums: TensorInfo; parts: number; shape: number[]; bias?: TensorInfo; after: After },
): TensorInfo {
  const { sums, parts, shape, bias, after } = given;
  const columns = shape.at(-1)!;
  const width = widthOf(columns);
  const size = sums.shape[1]! / width;
  const { dataId, dtype } = run(backend, {
    name: ['parts', width, ...Object.values(after)].join(' '),
    inputs: { Parts: flat(sums), ...(after.bias && { Bias: bias! }) },
    widths: { Parts: width, Bias: width },
    shape: [sums.shape[1]!],
    width,
    integers: { parts, each: size, columns },
    code: `
      var sum = ${typeOf(width)}(0.0);
      for (var part = 0; part < uniforms.parts; part++) { sum += readParts(part * uniforms.each + index); }
      let column = (index * ${width}) % uniforms.columns;
      value = ${epilogue(after, width)('sum', 'column')};`,
  });
  backend.disposeData(sums.dataId);
  return { dataId, dtype, shape };
}
