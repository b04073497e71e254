import { readFileSync } from 'node:fs';

/**
 * Largest size of this process in bytes, since its start or since Linux was told to forget it. On Linux not `maxRSS`, which begins at the size of
 * whoever started the process.
 */
export function peakBytes(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))!;
    return Number(kilobytes) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}
