import type { Engine } from './engine.js';

/** Engines that `auto` may take, in the order of their ranks. */
export const byRank = (engines: readonly Engine[]): Engine[] =>
  engines.filter(({ rank }) => rank !== undefined).sort((a, b) => b.rank! - a.rank!);
