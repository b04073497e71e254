import { invocationsOf, type Tile } from './tile.js';

/** A factor of a product of matrices, in code. `side` is a row of the left factor, or a column of the right one. */
export type Factor =
  | {
      /** Expression of the `vec4` at four sides from `side` on, at `term`. */
      readonly of: 'sides';
      readonly at: (side: string, term: string) => string;
    }
  | {
      /** Expression of the `vec4` at four terms from a term on, at one side. */
      readonly of: 'terms';
      /** Statements that find out once about four sides from `side` on what `at` needs; their names end in `which`. */
      readonly prepare: (side: string, which: string) => string;
      /** The same about four terms from `term` on. */
      readonly begin: (term: string, which: string) => string;
      /** In those names, at the side that is the `of`th of four. */
      readonly at: (which: string, of: number) => string;
    };

export interface TiledProduct {
  readonly tile: Tile;
  readonly declarations: string;
  /** Statements that set `firstRow`, `firstColumn`, `firstTerm` and `turns`, which is the same in all groups, as barriers need it. */
  readonly begin: string;
  readonly left: Factor;
  readonly right: Factor;
  /** Statements that write one row, from its first column in `column` on; its numbers are `vec4`s in expressions. */
  readonly write: (row: string, blocks: readonly { readonly column: string; readonly value: string }[]) => string;
  /** Where all further terms are known to be zeros. */
  readonly lastTerm?: string;
  /** Reads the next numbers while it computes with those it has. */
  readonly ahead?: boolean;
}

const lanes = ['x', 'y', 'z', 'w'] as const;
const counted = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** How a group reads a factor's numbers, each invocation some, and lays them in its memory as [depth][sides / 4]. */
interface Filling {
  readonly prepare: string;
  readonly read: string;
  readonly store: string;
  readonly registers: readonly string[];
}

function filling(
  name: 'left' | 'right',
  factor: Factor,
  { sides, depth, group }: { sides: number; depth: number; group: number },
): Filling {
  const quads = sides / 4;
  const row = quads + 1; // one more, lest invocations that write below each other meet in one bank of the memory
  const first = name === 'left' ? 'firstRow' : 'firstColumn';
  const units = factor.of === 'sides' ? quads * depth : quads * (depth / 4);
  const each = counted(Math.ceil(units / group));
  const index = (unit: number) => `(i32(localIndex) + ${unit * group})`;
  const where = (unit: number, statements: string) =>
    (unit + 1) * group > units ? `if (${index(unit)} < ${units}) { ${statements} }` : statements;
  const register = (unit: number, at = 0) => `${name}${unit}${at}`;

  if (factor.of === 'sides') {
    const side = (unit: number) => `(${first} + (${index(unit)} % ${quads}) * 4)`;
    const term = (unit: number) => `(start + ${index(unit)} / ${quads})`;
    return {
      prepare: '',
      registers: each.map((unit) => register(unit)),
      read: each.map((unit) => where(unit, `${register(unit)} = ${factor.at(side(unit), term(unit))};`)).join('\n'),
      store: each
        .map((unit) =>
          where(unit, `${name}[(${index(unit)} / ${quads}) * ${row} + ${index(unit)} % ${quads}] = ${register(unit)};`),
        )
        .join('\n'),
    };
  }
  const quad = (unit: number) => `(${index(unit)} / ${depth / 4})`;
  const side = (unit: number) => `(${first} + ${quad(unit)} * 4)`;
  const terms = (unit: number) => `((${index(unit)} % ${depth / 4}) * 4)`;
  const four = counted(4);
  const which = (unit: number) => `${name === 'left' ? 'L' : 'R'}${unit}`;
  const term = (unit: number) => `(start + ${terms(unit)})`;
  return {
    prepare: each.map((unit) => factor.prepare(side(unit), which(unit))).join('\n'),
    registers: each.flatMap((unit) => four.map((at) => register(unit, at))),
    read: each
      .map((unit) =>
        where(
          unit,
          `${factor.begin(term(unit), which(unit))}
          ${four.map((of) => `${register(unit, of)} = ${factor.at(which(unit), of)};`).join('\n')}`,
        ),
      )
      .join('\n'),
    store: each
      .map((unit) =>
        where(
          unit,
          lanes
            .map(
              (lane, at) =>
                `${name}[(${terms(unit)} + ${at}) * ${row} + ${quad(unit)}] = vec4<f32>(${four
                  .map((of) => `${register(unit, of)}.${lane}`)
                  .join(', ')});`,
            )
            .join('\n'),
        ),
      )
      .join('\n'),
  };
}

/**
 * The code of a product of matrices whose factors need not be there as such: groups of invocations share tiles of both in their memory, and
 * each invocation has `down` x `across` blocks of 4x4 results in its registers.
 */
export function tiledProduct({ tile, left, right, ...rest }: TiledProduct): string {
  const { rows, columns, down, across, depth } = tile;
  const [width, height] = invocationsOf(tile);
  const group = width * height;
  const [leftFilling, rightFilling] = [
    filling('left', left, { sides: rows, depth, group }),
    filling('right', right, { sides: columns, depth, group }),
  ];
  const [leftRow, rightRow] = [rows / 4 + 1, columns / 4 + 1];
  const blocks = counted(across);
  const results = counted(down * 4);
  const both = (of: (filling: Filling) => string) => `${of(leftFilling)}\n${of(rightFilling)}`;
  const read = `{ let start = firstTerm + turn * ${depth}; ${both((each) => each.read)} }`;
  const { ahead = false, lastTerm } = rest;
  return `
  var<workgroup> left : array<vec4<f32>, ${depth * leftRow}>;
  var<workgroup> right : array<vec4<f32>, ${depth * rightRow}>;
  ${rest.declarations}
  fn main() {
    let across = i32(localId.x);
    let down = i32(localId.y);
    ${rest.begin}
    ${both((each) => each.prepare)}
    ${results.flatMap((i) => blocks.map((j) => `var sum${i}${j} = vec4<f32>(0.0);`)).join('\n')}
    ${[...leftFilling.registers, ...rightFilling.registers].map((name) => `var ${name} = vec4<f32>(0.0);`).join('\n')}
    ${ahead ? `{ let turn = 0; ${read} }` : ''}
    for (var turn = 0; turn < turns; turn++) {
      ${ahead ? '' : read}
      ${both((each) => each.store)}
      workgroupBarrier();
      ${ahead ? `if (turn + 1 < turns) { let next = turn + 1; { let turn = next; ${read} } }` : ''}
      ${lastTerm === undefined ? '' : `if (firstTerm + turn * ${depth} < ${lastTerm}) {`}
      for (var i = 0; i < ${depth}; i++) {
        ${counted(down)
          .map((i) => `let a${i} = left[i * ${leftRow} + down + ${i * height}];`)
          .join('\n')}
        ${blocks.map((j) => `let b${j} = right[i * ${rightRow} + across + ${j * width}];`).join('\n')}
        ${results
          .flatMap((i) => blocks.map((j) => `sum${i}${j} += a${Math.floor(i / 4)}.${lanes[i % 4]} * b${j};`))
          .join('\n')}
      }
      ${lastTerm === undefined ? '' : '}'}
      workgroupBarrier();
    }
    ${results
      .map(
        (i) => `{
          let row = firstRow + (down + ${Math.floor(i / 4) * height}) * 4 + ${i % 4};
          ${rest.write(
            'row',
            blocks.map((j) => ({
              column: `(firstColumn + (across + ${j * width}) * 4)`,
              value: `sum${i}${j}`,
            })),
          )}
        }`,
      )
      .join('\n')}
  }`;
}
