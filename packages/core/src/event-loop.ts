/**
 * Lets signals, timers, the terminal and finalisers of native objects have their turn: engines that compute on the processor block the thread. It
 * costs microseconds.
 */
export function letOthersRun(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
      return;
    }
    // a page: its timers wait for milliseconds
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
