import { setImmediate as later } from 'node:timers';

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

/**
 * The global object that Dawn sees, which is Node's own; a test runner that runs modules in a context of their own gives us
 * another one. Node's functions know theirs.
 */
const nodeGlobal = (later.constructor as FunctionConstructor)('return globalThis')() as typeof globalThis;

export function catchTicks(): Ticks {
  let waiting: (() => void)[] = [];
  const during: Ticks['during'] = (call) => {
    const saved = nodeGlobal.setImmediate;
    const caught = (callback: () => void): object => {
      waiting.push(callback);
      return {};
    };
    nodeGlobal.setImmediate = caught as unknown as typeof setImmediate;
    try {
      return call();
    } finally {
      nodeGlobal.setImmediate = saved;
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
        await new Promise((resume) => later(resume));
      }
      return done;
    },
  };
}
