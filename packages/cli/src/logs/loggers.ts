import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError, defineCallback, type Callback, type EpochMetrics, type Plugin } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { toCsv } from './csv.js';
import { createEventFile, writing, type EventFile } from './event-file.js';
import { epochScalars, stepScalars } from './scalars.js';

const tensorboard = (): Callback => {
  let file: EventFile;
  let perEpoch = 1;
  return {
    start({ folder, stepsPerEpoch, resumedAt }) {
      file = createEventFile(join(folder, 'logs'));
      perEpoch = stepsPerEpoch;
      if (resumedAt) file.start(resumedAt.epoch * stepsPerEpoch + resumedAt.step + 1);
    },
    step: (seen) => file.scalars(seen.position, stepScalars(seen)),
    rollback: ({ epoch }) => file.start((epoch - 1) * perEpoch + 1),
    epoch({ metrics }) {
      file.scalars(metrics.steps, epochScalars(metrics));
      file.flush();
    },
    end: () => file?.flush(),
  };
};

/** Rewritten whole, so that resuming and rolling back leave no row twice. */
const csv = (): Callback => {
  let file: string;
  const seconds = new Map<number, number>();
  const row = (metrics: EpochMetrics) => ({
    epoch: metrics.epoch,
    steps: metrics.steps,
    ...epochScalars(metrics),
    seconds: seconds.get(metrics.epoch),
  });
  return {
    start: ({ folder }) => void (file = join(folder, 'epochs.csv')),
    epoch({ metrics, history, seconds: taken }) {
      seconds.set(metrics.epoch, taken);
      writeAtomically(file, toCsv(history.map(row)));
    },
  };
};

const jsonl = (): Callback => {
  let file: string;
  let lines = '';
  const flush = () => {
    const text = lines;
    lines = '';
    if (text) writing(file, () => appendFileSync(file, text));
  };
  return {
    start: ({ folder }) => void (file = join(folder, 'steps.jsonl')),
    step({ position, epochs: _, train: _train, model: _model, ...numbers }) {
      lines += `${JSON.stringify({ position, ...numbers })}\n`;
      if (lines.length > 64 * 1024) flush();
    },
    epoch: flush,
    end: flush,
  };
};

const all = [
  defineCallback({
    name: 'tensorboard',
    summary: 'Scalars of every step and epoch in `logs/` of the run folder, as TensorBoard reads them.',
    create: tensorboard,
  }),
  defineCallback({ name: 'csv', summary: 'The epochs as a table, `epochs.csv` of the run folder.', create: csv }),
  defineCallback({
    name: 'jsonl',
    summary: 'One line per step, `steps.jsonl` of the run folder; of equal positions the later counts.',
    create: jsonl,
  }),
] as const;

/** Loggers that write into the run folder. */
export const fileLoggers = all as unknown as readonly Plugin[];
export type FileLogger = (typeof all)[number];

const logNames = ['tensorboard', 'csv', 'jsonl'];

/** Reads `tensorboard,csv`. @throws BulwarkError USAGE */
export function parseLogs(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !logNames.includes(name));
  if (unknown !== undefined)
    throw new BulwarkError('USAGE', `--log has ${JSON.stringify(unknown)}; known: ${logNames.join(', ')}`, {
      hint: 'name some of these, separated by commas; other loggers are callbacks of the config',
    });
  return [...new Set(names)];
}

/** A config with these loggers among its callbacks, each once. */
export function withLogs(config: Record<string, unknown>, logs: readonly string[]): Record<string, unknown> {
  if (logs.length === 0) return config;
  const { callbacks = [] } = config;
  if (!Array.isArray(callbacks)) return config; // refused when it is checked
  const there = callbacks.map((spec) => (typeof spec === 'string' ? spec : (spec as { use?: unknown } | null)?.use));
  return { ...config, callbacks: [...callbacks, ...logs.filter((name) => !there.includes(name))] };
}
