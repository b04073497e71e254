import { readFileSync, writeFileSync } from 'node:fs';

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

/** Largest size of this process in bytes since `resetPeak`, or since its start where that does nothing. */
export function peakBytes(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))!;
    return Number(kilobytes) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}
