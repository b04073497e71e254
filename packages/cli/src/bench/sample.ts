/** A measured time or rate: the middle of several runs, and the extremes. */
export interface Sample {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly runs: number;
}

export function sampleOf(values: readonly number[]): Sample {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)]!, sorted[Math.floor(sorted.length / 2)]!];
  return { median: (low + high) / 2, lowest: sorted[0]!, highest: sorted.at(-1)!, runs: sorted.length };
}

/** The same in another unit, or turned into a rate: extremes stay extremes. */
export function mapSample(sample: Sample, change: (value: number) => number): Sample {
  const [a, b] = [change(sample.lowest), change(sample.highest)];
  return { ...sample, median: change(sample.median), lowest: Math.min(a, b), highest: Math.max(a, b) };
}

/** How often and how long a piece of work is repeated. */
export interface Repeats {
  readonly runs: number;
  /** After this many seconds no further run begins. */
  readonly seconds: number;
}

/** Seconds of several runs of `work`, which ends when its numbers are there; runs that warm up come before. */
export function sampleSeconds(work: () => void, repeats: Repeats): Sample {
  const seconds: number[] = [];
  const end = performance.now() + 1000 * repeats.seconds;
  do {
    const began = performance.now();
    work();
    seconds.push((performance.now() - began) / 1000);
  } while (seconds.length < repeats.runs && performance.now() < end);
  return sampleOf(seconds);
}
