import { panels } from '../report/chart/panels.js';
import type { RunRecord } from '../report/read-run.js';
import { accuracyCurves, byRole, robustLabels } from '../report/sections/curves.js';
import type { Figure } from './write-figure.js';
import { BulwarkError } from '@bulwark/core';

const size = { width: 330, height: 260 };

function requireEpochs(runs: readonly RunRecord[]): void {
  const idle = runs.find(({ metrics }) => metrics.length === 0);
  if (idle)
    throw new BulwarkError('USAGE', `${idle.path} has no finished epoch`, {
      hint: 'let it train for at least one epoch',
    });
}

/** Clean and robust accuracy by epoch (Figures 4, 9 and 10 of Li et al., 2023; arXiv:2205.11156). */
export function curvesFigure(runs: readonly RunRecord[]): Figure {
  requireEpochs(runs);
  const labels = ['clean', ...robustLabels(runs)];
  const rows = runs.flatMap(({ label: run, method, metrics }) =>
    metrics
      .filter(({ validation }) => validation)
      .map(({ epoch, validation }) => ({ run, method, epoch, ...validation })),
  );
  const charts = labels.map((label) => ({ ...accuracyCurves(runs, label), ...size }));
  return {
    rows,
    data: { runs: runs.map(({ label: run, method, metrics }) => ({ run, method, metrics })) },
    chart: panels(charts, { title: 'Accuracy on validation images by epoch', columns: 2, shared: true }),
  };
}

/**
 * Cross-entropy of the points trained on, and the share of neighbours that are easier than their image (Figures 5 and 8 of Li et al.,
 * 2023; arXiv:2205.11156), as the trainer measured them while it trained.
 */
export function diagnosticsFigure(runs: readonly RunRecord[]): Figure {
  requireEpochs(runs);
  const rows = runs.flatMap(({ label: run, method, metrics }) =>
    metrics.map(({ epoch, train }) => ({ run, method, epoch, ...train })),
  );
  const charts = runs.flatMap((run) =>
    (['crossEntropy', 'collaborative'] as const)
      .map((quantity) => ({ title: run.label, ...byRole(run, quantity), ...size }))
      .filter(({ points }) => points.length > 0),
  );
  return {
    rows,
    data: {
      runs: runs.map(({ label: run, method, metrics }) => ({ run, method, train: metrics.map(({ train }) => train) })),
    },
    chart: panels(charts, {
      title: 'Points trained on, by epoch',
      subtitle: 'means over the training batches, taken from the passes that training makes anyway',
      columns: 2,
    }),
  };
}
