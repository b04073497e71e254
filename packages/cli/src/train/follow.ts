import { BulwarkError, type RunHandle, type RunSummary } from '@bulwark/core';
import { counted } from '@bulwark/core/plugins';
import { onInterrupt } from '../terminal/interrupt.js';
import { ownRank } from '../terminal/ranks.js';
import { duration, percent, type Output } from '../terminal/output.js';
import { showProgress } from '../terminal/progress.js';
import { table } from '../terminal/table.js';

/** Best and last side by side, and what training on past the best has cost. */
function summaryLines({
  best,
  last,
  gap,
  selectedBy,
  split,
  images,
  rollbacks,
  overfitting = [],
  ...how
}: RunSummary): string[] {
  const rows = [...(best ? [{ kind: 'best', ...best }] : []), { kind: 'last', ...last }];
  const columns = Object.keys(last.accuracy ?? {});
  const shown = rows.map(({ kind, epoch, accuracy }) => [
    kind,
    epoch,
    ...columns.map((column) => percent(accuracy?.[column])),
  ]);
  const lines =
    columns.length === 0
      ? []
      : [
          `accuracy on ${images} ${split} images`,
          table(['checkpoint', 'epoch', ...columns.map((c) => `${c} %`)], shown),
        ];
  if (best) lines.push(`best epoch ${best.epoch}: ${best.metric} ${percent(best.value)}% on validation`);
  if (gap !== undefined)
    lines.push(`robust overfitting (best minus last, ${selectedBy}): ${(100 * gap).toFixed(2)} points`);
  for (const { epoch, attack, best: before, robust, rolledBack } of overfitting)
    lines.push(
      `catastrophic overfitting in epoch ${epoch}: ${attack} from ${percent(before)}% to ${percent(robust)}% on validation${rolledBack ? ', rolled back' : ''}`,
    );
  if (how.extended)
    lines.push(
      `extended: it was planned for ${how.extended.map((epochs) => counted(epochs, 'epoch')).join(', then ')}`,
    );
  if (rollbacks > 0) lines.push(`the guard rolled back ${counted(rollbacks, 'time')}`);
  if (how.arithmetic !== undefined) lines.push(`computed with ${how.arithmetic}`);
  if (how.repeatable === false)
    lines.push(
      `engine ${how.engine} need not give the same bits again: resumed or repeated, this run may differ a little`,
    );
  return lines;
}

/** Runs to the end with a display, reporting how it ended. */
export async function follow(run: RunHandle, output: Output): Promise<void> {
  output.line(`engine ${run.engine.name}: ${run.engine.reason}`);
  for (const remark of run.engine.remarks ?? []) output.line(`engine ${run.engine.name}: ${remark}`);
  output.line(`run folder ${run.folder.path}`);
  const { size = 1 } = ownRank()?.collective ?? {};
  if (size > 1) output.line(`${size} ranks share every batch`);
  const hide = showProgress(run.bus, output, { name: run.config.name });
  const interrupt = onInterrupt(output);
  const began = Date.now();
  run.bus.on('rollback', ({ epoch, learningRateScale, reason }) =>
    output.warn(`${reason}; back to the start of epoch ${epoch} with ${learningRateScale} of the learning rate`),
  );
  try {
    const result = await run.train(interrupt.signal);
    hide();
    if (result.reason === 'interrupted')
      throw new BulwarkError('INTERRUPTED', 'stopped on request; everything so far is saved', {
        hint: `go on with: bulwark train --resume ${run.folder.path}`,
      });
    for (const line of result.summary ? summaryLines(result.summary) : []) output.line(line);
    output.line(`done in ${duration((Date.now() - began) / 1000)}; next: bulwark evaluate ${run.folder.path}`);
    output.result({ run: run.folder.path, ...result });
    ownRank()?.collective?.close();
  } finally {
    hide();
    interrupt.release();
    run.dispose();
  }
}
