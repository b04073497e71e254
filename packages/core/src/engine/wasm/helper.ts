/** Computes one unit of the job at an address; `thread` counts from 0 and says which part of a scratch memory is free. */
export type UnitKernel = (job: number, unit: number, thread: number) => void;

/** The kernels whose work threads share; helpers are told their place in this list. */
export const sharedKernels = [
  'addUnit',
  'batchStatisticsUnit',
  'clipUnit',
  'convUnit',
  'depthwiseFilterGradUnit',
  'depthwiseInputGradUnit',
  'depthwiseUnit',
  'divideUnit',
  'dotsUnit',
  'filterUnit',
  'maxPoolGradUnit',
  'maximumUnit',
  'mergeStatisticsUnit',
  'mergeSumsUnit',
  'minimumUnit',
  'multiplyUnit',
  'normApplyUnit',
  'normInputGradUnit',
  'normScaleRowsUnit',
  'normSumsUnit',
  'packPanelsUnit',
  'packTransposedUnit',
  'padUnit',
  'reluGradUnit',
  'reluUnit',
  'repeatUnit',
  'signOfUnit',
  'signStepUnit',
  'spatialMeanGradUnit',
  'spatialMeanUnit',
  'subtractUnit',
  'sumCopiesUnit',
] as const;
export type SharedKernel = (typeof sharedKernels)[number];
export type SharedKernels = Readonly<Record<SharedKernel, UnitKernel>>;

/**
 * Places in the control block, 32-bit integers that all threads see. `signal` counts jobs, and helpers sleep on it. `gate` says in its
 * low seven bits how many helpers are at work, then whether more may join (`OPEN`), and above that which job it is: in one word, so that
 * one who wakes late can neither join a job that is over nor the next one by mistake. `invited` is how many helpers may join this one.
 */
export const at = {
  signal: 0,
  gate: 1,
  next: 2,
  sleeping: 3,
  failed: 4,
  kernel: 5,
  units: 6,
  job: 7,
  invited: 8,
} as const;
export const OPEN = 128;

/**
 * Looks at a word before a thread sleeps, at 7 nanoseconds each: up to the pause between two jobs of a pass. A thread that looked in vain
 * looks half as often the next time, so that threads which must share a core leave it to each other.
 */
export const SPINS = { least: 100, most: 20_000 } as const;

/** Takes units one by one until none is left. Plain JavaScript: helpers run its source text. */
export function takeUnits(control: Int32Array, kernel: UnitKernel, thread: number): void {
  const units = control[6]!;
  const job = control[7]!;
  for (let unit = Atomics.add(control, 2, 1); unit < units; unit = Atomics.add(control, 2, 1))
    kernel(job, unit, thread);
}

/** Wakes two of the sleeping, or one, or none: as many as are invited and not awake. Those who come wake others. Helpers run its source text, too. */
export function wakeHelpers(control: Int32Array, helpers: number): void {
  const sleeping = Atomics.load(control, 3);
  const wanted = Math.min(2, sleeping, control[8]! - (helpers - sleeping));
  if (wanted > 0) Atomics.notify(control, 0, wanted);
}

/**
 * A helper's life. It sleeps without a limit, as nobody owes it a job. Who was in time for one looks out for the next a little longer
 * before it sleeps; who comes too late sleeps again at once, so that more threads than cores do no harm. The waiting is
 * JavaScript's, not wasm's: with this loop in wasm, the baseline compiler of Node 20 (V8 11.3) gave every helper the same index.
 */
function help(
  control: Int32Array,
  kernels: readonly UnitKernel[],
  { thread, helpers }: { thread: number; helpers: number },
  { take, wake, spins }: { take: typeof takeUnits; wake: typeof wakeHelpers; spins: typeof SPINS },
): never {
  const join = (): boolean => {
    for (;;) {
      const gate = Atomics.load(control, 1);
      if ((gate & 128) === 0 || (gate & 127) >= control[8]!) return false;
      if (Atomics.compareExchange(control, 1, gate, gate + 1) === gate) return true;
    }
  };
  let seen = 0;
  let joined = false;
  let budget: number = spins.least;
  for (;;) {
    if (joined) {
      let left = budget;
      while (left > 0 && Atomics.load(control, 0) === seen) left--;
      budget = left > 0 ? Math.min(budget * 2, spins.most) : Math.max(budget >> 1, spins.least);
    }
    Atomics.add(control, 3, 1);
    Atomics.wait(control, 0, seen);
    Atomics.sub(control, 3, 1);
    seen = Atomics.load(control, 0);
    joined = join();
    if (!joined) continue;
    wake(control, helpers);
    try {
      take(control, kernels[control[5]!]!, thread);
    } catch {
      Atomics.store(control, 4, 1);
    }
    if (((Atomics.sub(control, 1, 1) - 1) & 255) === 0) Atomics.notify(control, 1);
  }
}

/** What a helper thread runs. */
export const helperSource = `
const { workerData: { module, memory, control, thread, helpers } } = require('node:worker_threads');
const { exports } = new WebAssembly.Instance(module, { env: { memory } });
const kernels = ${JSON.stringify(sharedKernels)}.map((name) => exports[name]);
(${help.toString()})(control, kernels, { thread, helpers }, { take: ${takeUnits.toString()}, wake: ${wakeHelpers.toString()}, spins: ${JSON.stringify(SPINS)} });
`;
