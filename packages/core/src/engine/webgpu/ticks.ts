/**
 * Dawn finishes its asynchronous work in a tick that it schedules with `setImmediate`. Catching that callback lets us
 * run the tick ourselves, and so wait for the GPU inside a synchronous call, which TensorFlow.js's `dataSync` needs.
 */
export interface Ticks {
  /** Calls into Dawn; what it wants to do later waits for `run`. */
  during<T>(call: () => T): T;
  /** Lets Dawn look once for finished work. @returns whether it wanted to */
  run(): boolean;
  /** Runs ticks until `promise`, which came from `during`, is settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
}

export function catchTicks(): Ticks {
  let waiting: (() => void)[] = [];
  const during: Ticks['during'] = (call) => {
    const saved = globalThis.setImmediate;
    const caught = (callback: () => void): object => {
      waiting.push(callback);
      return {};
    };
    globalThis.setImmediate = caught as unknown as typeof setImmediate;
    try {
      return call();
    } finally {
      globalThis.setImmediate = saved;
    }
  };
  const run = (): boolean => {
    const now = waiting;
    waiting = [];
    for (const callback of now) during(callback);
    return now.length > 0;
  };
  return {
    during,
    run,
    async settle(promise) {
      let settled = false;
      const done = promise.finally(() => (settled = true));
      done.catch(() => undefined); // told by the return below
      while (!settled) {
        run();
        await new Promise((resume) => setImmediate(resume));
      }
      return done;
    },
  };
}
