import type { Output } from './output.js';

/** Ctrl-C and SIGTERM ask for a stop after the running step; a second one stops at once. */
export function onInterrupt(output: Output): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const handler = () => {
    if (controller.signal.aborted) process.exit(130);
    output.line('\nfinishing the step and saving; press Ctrl-C again to stop at once');
    controller.abort();
  };
  process.on('SIGINT', handler);
  process.on('SIGTERM', handler);
  return {
    signal: controller.signal,
    release() {
      process.off('SIGINT', handler);
      process.off('SIGTERM', handler);
    },
  };
}
