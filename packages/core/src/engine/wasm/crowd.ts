/** How many threads take part in shared jobs: as many as make them faster. */
export interface Crowd {
  /** Runs one job on as many threads as are to be tried now; `kind` names jobs that take equally long. */
  run(kind: () => string, job: (threads: number) => void): void;
}

/** Milliseconds of paired jobs after which a trial is decided, and pairs that it needs at least. */
const TRIAL = { time: 30, pairs: 12 } as const;
/** Another number of threads is taken when its jobs took less than this share of the time. */
const BETTER = 0.97;
/** Milliseconds between trials while neither fewer nor more threads are better. */
const PAUSE = { least: 250, most: 15_000 } as const;
/** Jobs between looks at the clock. */
const LOOK = 32;

interface Trial {
  readonly threads: number;
  /** Times of the present number, by kind, that wait for the same kind's on the other. */
  readonly open: Map<string, number>;
  present: number;
  other: number;
  pairs: number;
}

/**
 * Fits the number of threads to what the machine gives. The cores that an operating system reports may be fewer in truth (a container's quota,
 * other programs, two runs at a time), and with more threads than cores each job pays for waking and waiting. Now and then half as many, or
 * twice as many up to `most`, are tried on jobs of the same kind in turn. Results do not depend on the number: units of a job do not.
 */
export function startCrowd(most: number, now: () => number = () => performance.now()): Crowd {
  const levels = [most];
  while (levels[0]! > 1) levels.unshift(Math.ceil(levels[0]! / 2));
  let level = levels.length - 1;
  let direction: -1 | 1 = -1;
  let pause: number = PAUSE.least;
  let due = -Infinity;
  let jobs = 0;
  let trial: Trial | undefined;

  const begin = (): void => {
    if (levels[level + direction] === undefined) direction = direction === 1 ? -1 : 1;
    trial = { threads: levels[level + direction]!, open: new Map(), present: 0, other: 0, pairs: 0 };
  };
  const decide = ({ present, other }: Trial): void => {
    trial = undefined;
    if (other < BETTER * present) {
      level += direction;
      pause = PAUSE.least;
      due = now();
      return;
    }
    direction = direction === 1 ? -1 : 1;
    due = now() + pause;
    pause = Math.min(2 * pause, PAUSE.most);
  };
  return {
    run: (kind, job) => {
      if (!trial && jobs++ % LOOK === 0 && levels.length > 1 && now() >= due) begin();
      if (!trial) return job(levels[level]!);
      const current = trial;
      const name = kind();
      const before = current.open.get(name);
      const started = now();
      job(before === undefined ? levels[level]! : current.threads);
      const took = now() - started;
      if (before === undefined) {
        current.open.set(name, took);
        return;
      }
      current.open.delete(name);
      current.present += before;
      current.other += took;
      if (++current.pairs >= TRIAL.pairs && current.present + current.other >= TRIAL.time) decide(current);
    },
  };
}
