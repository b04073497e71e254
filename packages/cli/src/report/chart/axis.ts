/** What an axis shows: its name with the unit in brackets. */
export interface Axis {
  readonly title: string;
  readonly domain?: readonly [number, number];
  /** Values are shares in [0, 1] and shown in percent. */
  readonly percent?: boolean;
  /** Only whole numbers, such as epochs. */
  readonly whole?: boolean;
  readonly log?: boolean;
  readonly values?: readonly number[];
}

/** The encoding of a quantity along an axis. */
export const quantity = (field: string, axis: Axis) => ({
  field,
  type: 'quantitative' as const,
  title: axis.title,
  scale: {
    ...(axis.domain && { domain: [...axis.domain] }),
    ...(axis.log && { type: 'log' as const }),
    zero: false,
    nice: axis.domain === undefined,
  },
  axis: {
    ...(axis.percent && { labelExpr: "format(datum.value * 100, '~g')" }),
    ...(axis.whole && { tickMinStep: 1, format: 'd' }),
    ...(axis.values && {
      values: [...axis.values],
      ...(!axis.percent && { labelExpr: "format(datum.value, '.4~g')" }),
    }),
    tickCount: 5,
  },
});
