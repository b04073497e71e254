import type { Progress } from '@bulwark/datasets';
import logUpdate from 'log-update';
import type { Output } from '../terminal/output.js';

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

const line = ({ file, received, total }: Progress) =>
  total === undefined
    ? `${file}  ${megabytes(received)} MB`
    : `${file}  ${megabytes(received)} of ${megabytes(total)} MB  ${Math.floor((100 * received) / Math.max(1, total))}%`;

/** A live line on a terminal; elsewhere one line for each tenth of a file. */
export function fetchProgress(output: Output): { show(progress: Progress): void; end(): void } {
  if (output.json) return { show: () => undefined, end: () => undefined };
  const live = process.stdout.isTTY;
  let shown = '';
  return {
    show(progress) {
      if (live) {
        logUpdate(line(progress));
        return;
      }
      const tenth = `${progress.file} ${Math.floor((10 * progress.received) / (progress.total ?? Infinity))}`;
      if (tenth !== shown) output.line(line(progress));
      shown = tenth;
    },
    end: () => void (live && logUpdate.clear()),
  };
}
