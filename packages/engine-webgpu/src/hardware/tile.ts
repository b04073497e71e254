/** How a product of matrices is shared out: a group computes `rows` x `columns` of the result, each of its invocations some 4x4 blocks. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** 4x4 blocks of an invocation, below each other and side by side. */
  readonly down: 1 | 2;
  readonly across: 1 | 2;
}

/** Terms of the sums whose numbers a group has in its memory at a time. */
export const depth = 16;

/** Invocations of a group. */
export const invocationsOf = ({ rows, columns, down, across }: Tile): [number, number, number] => [
  columns / (4 * across),
  rows / (4 * down),
  1,
];

/**
 * Each invocation of these has 8x8 results: 64 multiplications for four reads of the group's memory, where a GPU's rate of arithmetic, not
 * that of its memory, is the bound. The small one is for products that would otherwise have too few groups for a GPU.
 */
export const tiles = {
  large: { rows: 128, columns: 64, down: 2, across: 2 },
  medium: { rows: 64, columns: 64, down: 2, across: 2 },
  /** For results of few columns, such as the gradient in images of three channels. */
  narrow: { rows: 128, columns: 4, down: 1, across: 1 },
  small: { rows: 32, columns: 32, down: 1, across: 1 },
} as const satisfies Record<string, Tile>;

/** Groups that keep a large GPU busy. */
const wantedGroups = 1024;
/** Fewest terms that are worth a group of their own. */
const fewestTerms = 256;

/** A product of matrices, [rows, terms] by [terms, columns]. */
export interface Extent {
  readonly rows: number;
  readonly columns: number;
  readonly terms: number;
  /** How many of them are computed at once. */
  readonly products?: number;
}

/** How one is computed: by what tiles, and with the terms shared out among how many groups, whose sums are summed afterwards. */
export interface Sharing {
  readonly tile: Tile;
  readonly parts: number;
  /** Terms of a part, a multiple of `depth`. */
  readonly termsOfPart: number;
}

const tilesOf = ({ rows, columns }: Extent, tile: Tile): number =>
  Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);

/** Shares out a product whose tile is given. */
export function partsOf(extent: Extent, tile: Tile): Sharing {
  const groups = tilesOf(extent, tile) * (extent.products ?? 1);
  const most = Math.max(1, Math.min(Math.round(wantedGroups / groups), Math.floor(extent.terms / fewestTerms)));
  const termsOfPart = Math.ceil(extent.terms / most / depth) * depth;
  return { tile, termsOfPart, parts: Math.ceil(extent.terms / termsOfPart) };
}

/** The one rule by which products are shared out. */
export function shareOut(extent: Extent): Sharing {
  const { rows, columns } = extent;
  if (columns <= 4) return partsOf(extent, tiles.narrow);
  if (rows <= 32 || columns <= 32) return partsOf(extent, tiles.small);
  return partsOf(extent, tilesOf(extent, tiles.large) >= wantedGroups ? tiles.large : tiles.medium);
}
