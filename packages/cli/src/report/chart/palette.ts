/** How a series is drawn. Colour alone never tells two series apart: dash and point shape differ, too. */
export interface Look {
  readonly colour: string;
  readonly dash: readonly number[];
  readonly shape: string;
}

/**
 * One colour per method, the same in every picture: those of Okabe and Ito (2008), which people with any common colour blindness can
 * tell apart, and three more for the rest. Variants of a method share its colour.
 */
const colours: Readonly<Record<string, string>> = {
  natural: '#767676',
  at: '#e69f00',
  trades: '#0072b2',
  mart: '#009e73',
  st: '#d55e00',
  collaborative: '#cc79a7',
  'two-neighbours': '#56b4e9',
  rst: '#0072b2',
  'st-rst': '#d55e00',
  gairat: '#8a7f00',
  'gair-rst': '#8a7f00',
  bat: '#8c6d46',
};

const other = '#5f6b7a';

/** Points of the ball have the colour of the method that trains on nothing else. */
const roles: Readonly<Record<string, string>> = {
  natural: colours['natural']!,
  adversarial: colours['at']!,
  collaborative: colours['collaborative']!,
};

const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 4, 1, 4]] as const;
const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'] as const;

/** Names come from files: `constructor` is none of ours. */
const colourIn = (table: Readonly<Record<string, string>>, name: string): string =>
  Object.hasOwn(table, name) ? table[name]! : other;

/** `st+awp` and `st` have the same colour. */
export const methodColour = (method: string): string => colourIn(colours, method.split('+')[0]!);

/** Natural, adversarial, collaborative, and numbered roles such as `adversarial-2`. */
export const roleColour = (role: string): string => colourIn(roles, role.replace(/[-\d]+$/, ''));

/** Looks of series by label; series of one colour differ in dash and shape. */
export function looksOf(series: readonly { readonly label: string; readonly colour: string }[]): Map<string, Look> {
  const used = new Map<string, number>();
  const order = [...new Set(Object.values(colours))];
  return new Map(
    series.map(({ label, colour }) => {
      const n = used.get(colour) ?? 0;
      used.set(colour, n + 1);
      const dash = dashes[n % dashes.length]!;
      return [label, { colour, dash, shape: shapes[(order.indexOf(colour) + n) % shapes.length]! }];
    }),
  );
}
