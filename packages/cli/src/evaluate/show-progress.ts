import type { EvaluationProgress } from '@bulwark/core';
import logUpdate from 'log-update';
import { duration, percent, type Output } from '../terminal/output.js';

/** A live line on a terminal; elsewhere one line per finished attack. Returns the listener and what removes the display. */
export function evaluationProgress(output: Output): {
  report: (progress: EvaluationProgress) => void;
  clear: () => void;
} {
  const live = process.stdout.isTTY && !output.json;
  let last = 0;
  const report = ({ label, ensemble, stage, stages, share, eta, robust }: EvaluationProgress) => {
    const name = ensemble === undefined ? label : `${ensemble} / ${label}`;
    if (!live) {
      if (share === 1) output.line(`${name}: robust so far ${percent(robust)} %`);
      return;
    }
    const now = Date.now();
    if (now - last < 100 && share < 1) return;
    last = now;
    const left = eta === undefined ? '' : `  ETA ${duration(eta)}`;
    logUpdate(`${stage + 1}/${stages} ${name}  ${percent(share)} %${left}  robust so far ${percent(robust)} %`);
  };
  return { report, clear: () => void (live && logUpdate.clear()) };
}
