import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError, writeAtomically, type EpochMetrics, type RunHandle, type StepReport } from '@bulwark/core';
import { toCsv } from './csv.js';
import { createEventFile, writing } from './event-file.js';
import { epochScalars, stepScalars } from './scalars.js';

export const logNames = ['tensorboard', 'csv', 'jsonl'] as const;
export type LogName = (typeof logNames)[number];

/** Reads `tensorboard,csv`. @throws BulwarkError USAGE */
export function parseLogs(text: string): LogName[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(logNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new BulwarkError('USAGE', `--log has ${JSON.stringify(unknown)}; known: ${logNames.join(', ')}`, {
      cure: 'name some of these, separated by commas',
    });
  return [...new Set(names)] as LogName[];
}

type Run = Pick<RunHandle, 'bus' | 'folder'>;

/** Steps made in the run before this one is finished. */
const position = ({ epoch, stepsPerEpoch, step }: StepReport) => (epoch - 1) * stepsPerEpoch + step;

/** `logs/`: an event file per process; scalars by step and by epoch, both over the number of steps. */
function tensorboard({ bus, folder }: Run): void {
  const file = createEventFile(join(folder.path, 'logs'));
  let perEpoch = 1;
  bus.on('run:start', ({ stepsPerEpoch, resumedAt }) => {
    perEpoch = stepsPerEpoch;
    if (resumedAt) file.start(resumedAt.epoch * stepsPerEpoch + resumedAt.step + 1);
  });
  bus.on('step', (report) => file.scalars(position(report), stepScalars(report)));
  bus.on('rollback', ({ epoch }) => file.start((epoch - 1) * perEpoch + 1));
  bus.on('epoch:end', ({ metrics }) => {
    file.scalars(metrics.steps, epochScalars(metrics));
    file.flush();
  });
  bus.on('run:end', () => file.flush());
}

/** `epochs.csv`: one row per epoch, rewritten whole, so that resuming and rolling back leave no row twice. */
function csv({ bus, folder }: Run): void {
  const file = join(folder.path, 'epochs.csv');
  let history: EpochMetrics[] = [];
  const seconds = new Map<number, number>();
  bus.on('run:start', ({ resumedAt }) => {
    history = folder.readMetrics().slice(0, resumedAt?.epoch ?? 0);
  });
  bus.on('rollback', ({ epoch }) => void (history = history.slice(0, epoch - 1)));
  bus.on('epoch:end', (event) => {
    history.push(event.metrics);
    seconds.set(event.metrics.epoch, event.seconds);
    const rows = history.map((metrics) => ({
      epoch: metrics.epoch,
      steps: metrics.steps,
      ...epochScalars(metrics),
      seconds: seconds.get(metrics.epoch),
    }));
    writeAtomically(file, toCsv(rows));
  });
}

/** `steps.jsonl`: one line per step. A resumed run writes its last steps again; the later line of a position counts. */
function jsonl({ bus, folder }: Run): void {
  const file = join(folder.path, 'steps.jsonl');
  let lines = '';
  const flush = () => {
    const text = lines;
    lines = '';
    if (text) writing(file, () => appendFileSync(file, text));
  };
  bus.on('step', (report) => {
    const { epochs: _, ...numbers } = report;
    lines += `${JSON.stringify({ position: position(report), ...numbers })}\n`;
    if (lines.length > 64 * 1024) flush();
  });
  bus.on('epoch:end', flush);
  bus.on('run:end', flush);
}

const writers: Readonly<Record<LogName, (run: Run) => void>> = { tensorboard, csv, jsonl };

/** Lets a run be logged into its folder in these forms. Logs observe: a run computes the same with and without them. */
export function observe(run: Run, logs: readonly LogName[]): void {
  for (const name of logs) writers[name](run);
}
