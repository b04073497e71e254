import type { ChildProcess } from 'node:child_process';

/** What to do about a process that says nothing any more. */
export const silenceHint =
  'try again with the environment variable BULWARK_THREADS=1, or with another engine; please report it';

/** Ends a child process that sends no message for a time: nobody waits for it without a limit. */
export function endWhenSilent(child: ChildProcess, seconds: number): { readonly ended: () => boolean } {
  let ended = false;
  const end = (): void => {
    ended = true;
    child.kill('SIGKILL');
  };
  let timer = setTimeout(end, seconds * 1000);
  const again = (): void => {
    clearTimeout(timer);
    timer = setTimeout(end, seconds * 1000);
  };
  child.on('message', again);
  child.on('exit', () => {
    child.off('message', again);
    clearTimeout(timer);
  });
  return { ended: () => ended };
}
