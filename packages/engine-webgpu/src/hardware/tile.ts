/** How a product of matrices is shared out: a group computes `rows` x `columns` of the result, each of its invocations some 4x4 blocks. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** 4x4 blocks of an invocation, below each other and side by side. */
  readonly down: 1 | 2;
  readonly across: 1 | 2;
  /** Terms of the sums whose numbers a group has in its memory at a time. */
  readonly depth: 8 | 16;
}

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
  large: { rows: 128, columns: 64, down: 2, across: 2, depth: 16 },
  medium: { rows: 64, columns: 64, down: 2, across: 2, depth: 16 },
  /** For results of few columns, such as the gradient in images of three channels. */
  narrow: { rows: 128, columns: 8, down: 1, across: 1, depth: 8 },
  small: { rows: 32, columns: 32, down: 1, across: 1, depth: 16 },
} as const satisfies Record<string, Tile>;

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
  /** Terms of a part, a multiple of the tile's depth. */
  readonly termsOfPart: number;
}

const tilesOf = ({ rows, columns }: Extent, tile: Tile): number =>
  Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);

/** Shares out a product whose tile is given among about `wanted` groups. */
export function partsOf(extent: Extent, tile: Tile, wanted: number): Sharing {
  const groups = tilesOf(extent, tile) * (extent.products ?? 1);
  const most = Math.max(1, Math.min(Math.round(wanted / groups), Math.floor(extent.terms / fewestTerms)));
  const termsOfPart = Math.ceil(extent.terms / most / tile.depth) * tile.depth;
  return { tile, termsOfPart, parts: Math.ceil(extent.terms / termsOfPart) };
}

/** Groups that keep a large GPU busy: about as many as an H200 has at once. */
export const wantedGroups = { narrow: 1024, small: 1024, medium: 1024, large: 512 } as const satisfies Record<
  keyof typeof tiles,
  number
>;

const by = (name: keyof typeof tiles, extent: Extent): Sharing => partsOf(extent, tiles[name], wantedGroups[name]);

/** The one rule by which products are shared out whose rows are pixels. */
export function shareOut(extent: Extent): Sharing {
  const { rows, columns } = extent;
  if (columns <= 8) return by('narrow', extent);
  if (rows <= 32 || columns <= 32) return by('small', extent);
  return by(rows < tiles.large.rows ? 'medium' : 'large', extent);
}

/** The rule where the terms are pixels: large tiles were slower, as where a pixel lies is worked out for each of its reads. */
export function shareOutPixels(extent: Extent): Sharing {
  return by(extent.rows <= 32 || extent.columns <= 32 ? 'small' : 'medium', extent);
}
