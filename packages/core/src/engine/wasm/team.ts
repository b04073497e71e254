import { Worker } from 'node:worker_threads';
import { BulwarkError } from '../../errors.js';
import { startCrowd } from './crowd.js';
import { at, helperSource, OPEN, sharedKernels, SPINS, takeUnits, wakeHelpers } from './helper.js';
import type { SharedKernel, SharedKernels } from './helper.js';

/** A job falls into numbered units; each writes a part of the result that is its own. */
export interface Job {
  readonly kernel: SharedKernel;
  readonly units: number;
  /** Where its parameters are. */
  readonly address: number;
  /** Its size, in multiply-adds; a float that is read or written counts as eight. */
  readonly work: number;
}

/** Threads that share jobs on one memory. */
export interface Team {
  readonly threads: number;
  /**
   * Runs all units of a job, on those threads that are there in time, and no more of them than make jobs faster.
   * @throws BulwarkError ENGINE_THREADS if a helper fails or does not come to an end
   */
  run(job: Job): void;
  /** Ends the helpers, which sleep. */
  stop(): void;
}

/** Work below which waking other threads costs more than it saves. */
export const WORTH_SHARING = 500_000;
/** Enough for any machine, and the count of those at work has room in the gate. */
export const MAX_THREADS = 64;
/** Waiting falls into so many parts, so that a computer that slept meanwhile has used up one of them only. */
const PARTS = 60;

/** Starts `threads` - 1 helpers on `memory`; they never keep the process alive, and nobody waits until they have started. */
export function startTeam(options: {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  kernels: SharedKernels;
  threads: number;
  /** Seconds that helpers may go on after this thread is done; a unit takes milliseconds. */
  patience?: number;
}): Team {
  const { module, memory, kernels, patience = 60 } = options;
  const threads = Math.min(options.threads, MAX_THREADS);
  const control = new Int32Array(new SharedArrayBuffer(64));
  const helpers = Array.from({ length: threads - 1 }, (_, index) => {
    const workerData = { module, memory, control, thread: index + 1, helpers: threads - 1 };
    const helper = new Worker(helperSource, { eval: true, workerData, execArgv: [] });
    helper.unref();
    return helper;
  });
  const crowd = startCrowd(threads);
  let jobs = 0;
  let budget: number = SPINS.least;
  let fault: BulwarkError | undefined;

  const open = ({ kernel, units, address }: Job, invited: number): void => {
    control[at.kernel] = sharedKernels.indexOf(kernel);
    control[at.units] = units;
    control[at.job] = address;
    control[at.invited] = invited;
    Atomics.store(control, at.next, 0);
    Atomics.store(control, at.gate, (++jobs << 8) | OPEN);
    Atomics.add(control, at.signal, 1);
    wakeHelpers(control, threads - 1);
  };
  /** Keeps late helpers out, and waits for those that are in. */
  const close = (): void => {
    Atomics.and(control, at.gate, ~OPEN);
    const active = (): number => Atomics.load(control, at.gate) & (OPEN - 1);
    let left = budget;
    while (left > 0 && active() > 0) left--;
    budget = left > 0 ? Math.min(budget * 2, SPINS.most) : Math.max(budget >> 1, SPINS.least);
    for (let part = 0; active() > 0;) {
      const gate = Atomics.load(control, at.gate);
      if ((gate & (OPEN - 1)) === 0) return;
      if (Atomics.wait(control, at.gate, gate, (1000 * patience) / PARTS) === 'timed-out' && ++part === PARTS) {
        throw helpersFail(`${active()} of its ${threads} threads did not come to an end within ${patience} s`);
      }
    }
  };
  const alone = ({ kernel, units, address }: Job): void => {
    for (let unit = 0; unit < units; unit++) kernels[kernel](address, unit, 0);
  };
  const together = (job: Job, invited: number): void => {
    open(job, invited);
    try {
      takeUnits(control, kernels[job.kernel], 0);
    } finally {
      try {
        close();
        if (Atomics.load(control, at.failed) !== 0) throw helpersFail('one of its threads broke off');
      } catch (error) {
        // a helper that is still at work may write where other tensors will be
        fault = error as BulwarkError;
      }
    }
    if (fault) throw fault;
  };
  return {
    threads,
    stop: () => helpers.forEach((helper) => void helper.terminate()),
    run: (job) => {
      if (fault) throw fault;
      if (threads < 2 || job.units < 2 || job.work < WORTH_SHARING) return alone(job);
      crowd.run(
        () => `${job.kernel} ${job.units} ${job.work}`,
        (some) => (some === 1 ? alone(job) : together(job, some - 1)),
      );
    },
  };
}

const helpersFail = (what: string): BulwarkError =>
  new BulwarkError('ENGINE_THREADS', `wasm: ${what}`, {
    hint: 'set the environment variable BULWARK_THREADS=1, which computes without helper threads',
  });
