/** Work for a process of its own: a command that goes on where it stopped when it is given again. */
export interface LaunchJob {
  /** Unlike that of every other job of the same folder. */
  readonly id: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Folder that it is run in; absolute. */
  readonly folder: string;
  /** File that its output is added to; absolute. */
  readonly log: string;
}

/** What a launcher knows of a job that it was given. */
export interface LaunchedJob {
  /** `gone`: it has ended in whatever way, or is not known any more. */
  readonly state: 'waiting' | 'running' | 'gone';
  /** Why it waits, where it runs, or how it ended. */
  readonly note?: string;
  /** Somebody took it away on purpose. */
  readonly cancelled?: boolean;
}

/**
 * Where jobs run: processes of this machine, the queue of a cluster. Whether a job has done its work is told by the files that it writes;
 * a launcher only starts jobs, says what has become of them, and takes them away.
 */
export interface Launcher {
  /** In words, for the first line: `2 at a time on this machine`. */
  readonly description: string;
  /** Jobs that may be handed over and not gone at the same time; infinite where a queue keeps what waits. */
  readonly capacity: number;
  /** Between two looks. */
  readonly pollSeconds: number;
  /** What a job has written may be seen this much later than that it is gone (folders on a network). */
  readonly settleSeconds: number;
  /** True if jobs are stopped together with the command that handed them over; false if they stay in a queue. */
  readonly attached: boolean;
  /**
   * Hands over as many jobs as it can, in their order, without waiting for their ends.
   * @param record takes the handle of a job, by which any process can ask for it later, before or as soon as the job may run
   * @returns how many were taken, and why not all of them
   * @throws BulwarkError LAUNCHER_UNAVAILABLE
   */
  submit(
    jobs: readonly LaunchJob[],
    record: (job: LaunchJob, handle: string) => void,
  ): Promise<{ readonly taken: number; readonly refused?: string }>;
  /** @throws BulwarkError LAUNCHER_UNAVAILABLE */
  look(handles: readonly string[]): Promise<readonly LaunchedJob[]>;
  /** Asks jobs to stop as SIGTERM does, and takes those away that wait. */
  cancel(handles: readonly string[]): Promise<void>;
}
