import type { Output } from './output.js';

const signals = ['SIGINT', 'SIGTERM'] as const;
const showCursor = '\u001b[?25h';

/**
 * Ctrl-C and SIGTERM ask for a stop after the running step. From then on nobody handles these signals, so that a second one ends the
 * process at once, even while an engine blocks the thread.
 */
export function onInterrupt(output: Output): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const release = () => signals.forEach((name) => process.off(name, handler));
  const handler = () => {
    signals.forEach((name) => process.removeAllListeners(name));
    if (process.stdout.isTTY) process.stdout.write(showCursor);
    output.line('\nfinishing the step and saving; press Ctrl-C again to stop at once');
    controller.abort();
  };
  signals.forEach((name) => process.on(name, handler));
  return { signal: controller.signal, release };
}
