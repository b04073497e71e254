import type { Search } from './sweep-file.js';

/** Epochs of each round of successive halving: from the first to the last, `factor` times more in each, the last exactly. */
export function roundEpochs({ epochs: { from, to }, factor }: Extract<Search, { use: 'halving' }>): number[] {
  const rounds: number[] = [];
  for (let epochs = from; epochs < to; epochs *= factor) rounds.push(epochs);
  return [...rounds, to];
}

/** The best of a round, best first; of equal ones the earlier, and those without a score last. At least one goes on. */
export function survivors<T>(
  scored: readonly { readonly item: T; readonly score: number | undefined }[],
  factor: number,
): T[] {
  const keep = Math.max(1, Math.floor(scored.length / factor));
  return scored
    .map((entry, order) => ({ ...entry, order }))
    .filter(({ score }) => score !== undefined)
    .sort((a, b) => b.score! - a.score! || a.order - b.order)
    .slice(0, keep)
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
