import { counted } from '../counted.js';
import type { ComposedRun } from './compose.js';
import type { RunConfig } from './config.js';
import type { RunFolder } from './run-folder.js';

/** The numbers of epochs that a run had before, with that which a change now extends. */
export function extendedBy(
  change: Partial<RunConfig> | undefined,
  { frozen }: Pick<RunFolder, 'frozen'>,
): readonly number[] | undefined {
  const before = frozen.config.epochs;
  return change?.epochs === undefined || change.epochs === before
    ? frozen.extended
    : [...(frozen.extended ?? []), before];
}

/** Says so, where a schedule would have given other learning rates to the epochs that are done, had the run been as long from the start. */
export function warnOfSchedule(
  { parts, config }: Pick<ComposedRun, 'parts' | 'config'>,
  before: { epochs: number; done: number; warn?: ((message: string) => void) | undefined },
): void {
  const { optimizer, schedule } = parts;
  const rate = (epochs: number, epoch: number) =>
    optimizer.learningRate * schedule.factor({ epoch, epochs, step: 0, stepsPerEpoch: 1 });
  const done = Array.from({ length: before.done }, (_, epoch) => epoch);
  if (done.every((epoch) => rate(before.epochs, epoch) === rate(config.epochs, epoch))) return;
  const last = before.done - 1;
  const text = (value: number) => Number(value.toPrecision(3));
  before.warn?.(
    `the schedule ${config.optimizer.schedule.use} depends on the number of epochs: epoch ${before.done} was trained at ${text(rate(before.epochs, last))}, the next begins at ${text(rate(config.epochs, before.done))}; a run of ${counted(config.epochs, 'epoch')} from the start would be another one`,
  );
}
