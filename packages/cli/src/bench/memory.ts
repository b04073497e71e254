import { writeFileSync } from 'node:fs';

/**
 * Forgets the largest size that this process has had, where the system can (Linux); so the next one is that of what runs
 * in between.
 */
export function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // elsewhere the peak is that of the process so far
  }
}
