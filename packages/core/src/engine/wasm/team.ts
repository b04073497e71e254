import { Worker } from 'node:worker_threads';
import type { Kernels } from './module.js';

/** A job's units are numbered; each writes its own part of the result. */
export type Job =
  | { kind: 'conv' | 'dots'; units: number; job: number; tile: number; panels: number; pixels: number }
  | { kind: 'filter'; units: number; job: number; tile: number; scratch: number; scratchBytes: number };

/** Threads that share jobs on one memory. */
export interface Team {
  readonly threads: number;
  /** Runs all units of `job`; `work` is its number of multiply-adds. */
  run(job: Job, work: number): void;
}

/** Multiply-adds below which waking other threads costs more than it saves. */
const WORTH_SHARING = 500_000;
/** Enough for any machine, and it keeps the count of participants within a byte. */
const MAX_THREADS = 64;

/**
 * The control block, 32-bit integers which all threads see. `generation` counts jobs in its upper bits and says in its
 * lower byte how many helpers take part: in one word, because a thread that wakes late must not join the next job
 * with this one's number.
 */
const field = { generation: 0, arrived: 1, running: 2, next: 3, description: 4 } as const;

/** Takes units one by one until none is left. Pure JavaScript: helpers run its source text. */
function work(control: Int32Array, kernels: Kernels, thread: number): void {
  const [kind, units, job, tile, a, b] = control.subarray(4, 10) as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let unit = Atomics.add(control, 3, 1); unit < units; unit = Atomics.add(control, 3, 1)) {
    if (kind === 1) {
      kernels.filterPanel(job, unit, tile, a + thread * b);
      continue;
    }
    const begin = Math.floor(unit / a) * tile;
    (kind === 0 ? kernels.convPanel : kernels.convDots)(job, unit % a, begin, Math.min(begin + tile, b));
  }
}

/**
 * A helper's life: sleep until a job comes in which it takes part. The waiting is JavaScript's, not wasm's: with this
 * loop in wasm, the baseline compiler of Node 20 (V8 11.3) gave every helper the same index.
 */
const helperSource = `
const { workerData: { module, memory, control } } = require('node:worker_threads');
const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;
const work = ${work.toString()};
let seen = Atomics.load(control, 0);
const index = Atomics.add(control, 1, 1);
for (;;) {
  Atomics.wait(control, 0, seen);
  const now = Atomics.load(control, 0);
  if (now === seen) continue;
  seen = now;
  if (index >= (now & 255)) continue;
  work(control, kernels, index + 1);
  Atomics.sub(control, 2, 1);
  Atomics.notify(control, 2);
}
`;

/** Starts `threads` - 1 helpers on `memory`; they never keep the process alive. Whoever has not arrived yet is not waited for. */
export function startTeam(options: {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  kernels: Kernels;
  threads: number;
}): Team {
  const { module, memory, kernels } = options;
  const threads = Math.min(options.threads, MAX_THREADS);
  const control = new Int32Array(new SharedArrayBuffer(64));
  for (let index = 1; index < threads; index++) {
    new Worker(helperSource, { eval: true, workerData: { module, memory, control }, execArgv: [] }).unref();
  }
  return {
    threads,
    run: (job, amount) => {
      const parts =
        job.kind === 'filter'
          ? [1, job.units, job.job, job.tile, job.scratch, job.scratchBytes]
          : [job.kind === 'conv' ? 0 : 2, job.units, job.job, job.tile, job.panels, job.pixels];
      control.set(parts, field.description);
      Atomics.store(control, field.next, 0);
      const helpers = amount < WORTH_SHARING || job.units < 2 ? 0 : Atomics.load(control, field.arrived);
      if (helpers > 0) {
        Atomics.store(control, field.running, helpers);
        const jobs = Atomics.load(control, field.generation) >>> 8;
        Atomics.store(control, field.generation, ((jobs + 1) << 8) | helpers);
        Atomics.notify(control, field.generation);
      }
      work(control, kernels, 0);
      for (let left = Atomics.load(control, field.running); left > 0; left = Atomics.load(control, field.running)) {
        Atomics.wait(control, field.running, left);
      }
    },
  };
}
