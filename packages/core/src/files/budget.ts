/** What reading one file may cost, whatever it claims. `docs/security.md` states these. */
export const readingLimits = {
  /** Every file may unpack or be copied to this many bytes... */
  freeBytes: 256 * 2 ** 20,
  /** ...and to this many times its size. */
  bytesPerByte: 64,
  /** Every file may take this many steps (elements touched, entries of lists made)... */
  freeSteps: 2 ** 26,
  /** ...and this many for each of its bytes. */
  stepsPerByte: 64,
  /** Values within values. */
  depth: 200,
} as const;

/** What is left of the memory, work and depth that reading a file may take. All readers of one file share one. */
export interface Budget {
  /** Bytes that may still be made, for libraries that take a limit. */
  readonly bytesLeft: number;
  /** To be called before memory is taken. @throws what `refuse` gives */
  allocate(bytes: number, what: string): void;
  /** To be called before so many steps of work. @throws what `refuse` gives */
  work(steps: number, what: string): void;
  /** Does something one level deeper. @throws what `refuse` gives */
  within<T>(what: string, inner: () => T): T;
}

const amount = (bytes: number) => (bytes < 2 ** 20 ? `${bytes} bytes` : `${(bytes / 2 ** 20).toFixed(0)} MiB`);

/**
 * A budget for reading one input.
 * @param input.bytes its size on the disk, which the allowance grows with
 * @param input.refuse makes the error that its reader throws
 */
export function createBudget(input: { bytes: number; refuse: (why: string) => Error }): Budget {
  const { bytes, refuse } = input;
  const most = readingLimits.freeBytes + readingLimits.bytesPerByte * bytes;
  const mostSteps = readingLimits.freeSteps + readingLimits.stepsPerByte * bytes;
  let [made, steps, depth] = [0, 0, 0];
  return {
    get bytesLeft() {
      return most - made;
    },
    allocate(count, what) {
      // written so that NaN is refused, too
      if (!(count <= most - made))
        throw refuse(`${what} would take ${amount(made + count)}; a file of ${amount(bytes)} may take ${amount(most)}`);
      made += count;
    },
    work(count, what) {
      if (!(count <= mostSteps - steps))
        throw refuse(`${what} would take ${steps + count} steps; a file of ${amount(bytes)} may take ${mostSteps}`);
      steps += count;
    },
    within(what, inner) {
      if (depth >= readingLimits.depth)
        throw refuse(`${what}: more than ${readingLimits.depth} values within each other`);
      depth++;
      try {
        return inner();
      } finally {
        depth--;
      }
    },
  };
}
