import { appendFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BulwarkError } from '../errors.js';
import { digestOf, firstWrong, isTemporary, readIfThere } from '../files/index.js';
import type { EpochMetrics } from '../hooks/index.js';
import type { CheckpointKind, CheckpointStore, Snapshot } from '../trainer/index.js';
import { checkpointSet } from './checkpoint-set.js';
import { baseFolderNow } from './base-folder.js';
import type { RunConfig } from './config.js';
import { inRun, writeInRun } from './run-write.js';
import {
  epochMetricsSchema,
  frozenConfigSchema,
  summarySchema,
  timingSchema,
  type EpochTiming,
} from './stored-schema.js';

/** What `config.json` of a run folder holds: the composed config and what it ran with. */
export interface FrozenConfig {
  readonly config: RunConfig;
  /** Folder that relative paths in the config refer to; of an opened run, where that is now. */
  readonly baseFolder: string;
  /** The same folder as seen from the run. */
  readonly baseFromRun?: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly engine: string;
  /** How it rounds, where that is not float32 throughout. */
  readonly arithmetic?: string;
  /** The numbers of epochs that it had before it was extended. */
  readonly extended?: readonly number[];
  /** How many processes train together, if there are several. */
  readonly ranks?: number;
}

/** A run on disk: `config.json`, `metrics.jsonl`, `timings.jsonl`, `checkpoints/`, `summary.json`. */
export interface RunFolder {
  readonly path: string;
  readonly frozen: FrozenConfig;
  readonly checkpoints: CheckpointStore & {
    /** Is there such a checkpoint? For `epoch` and `best`: does the newest one refer to such a one? */
    has(kind: CheckpointKind): boolean;
    /**
     * Gives the newest whole checkpoint and those that belong to it their names back, after a stop in the middle of saving or damage;
     * only for who holds the run's lock.
     * @returns that checkpoint
     * @throws BulwarkError CHECKPOINT_CORRUPT if one that belongs to it is lost
     */
    settle(): Snapshot;
  };
  /** Replaces `config.json`. */
  freeze(frozen: FrozenConfig): void;
  /** Replaces `metrics.jsonl` by these epochs, one line each; the same seed gives the same bytes. */
  writeMetrics(history: readonly EpochMetrics[]): void;
  /** @throws BulwarkError RUN_CORRUPT */
  readMetrics(): EpochMetrics[];
  /** Adds a line to `timings.jsonl`: what differs from machine to machine. */
  addTiming(timing: object): void;
  /** The latest line of each epoch of `timings.jsonl`: a resumed epoch is timed again. A line that is not whole is left out. */
  readTimings(): EpochTiming[];
  /** Writes `summary.json`. */
  writeSummary(summary: object): void;
  /** Takes `summary.json` away: the run goes on. */
  removeSummary(): void;
  /** @throws BulwarkError RUN_CORRUPT */
  readSummary(): Record<string, unknown> | undefined;
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** The frozen config with a checksum: a run must not go on from a config that it was not composed with. */
const sealed = (frozen: FrozenConfig) => json({ ...frozen, sha256: digestOf(frozen) });

const corrupt = (path: string, why: string, cause?: unknown) =>
  new BulwarkError('RUN_CORRUPT', `${path} ${why}`, {
    hint: 'restore the file; to train with another config, start a new run',
    cause,
  });

/** Text of a file; undefined if there is none. @throws BulwarkError RUN_CORRUPT if there is one that cannot be read */
function readText(path: string): string | undefined {
  try {
    return readIfThere(path)?.toString('utf8');
  } catch (cause) {
    throw corrupt(path, `cannot be read: ${(cause as Error).message}`, cause);
  }
}

function readJson(path: string): unknown {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw corrupt(path, `cannot be read: ${(cause as Error).message}`, cause);
  }
}

const holdsRun = (path: string) => readText(join(path, 'config.json')) !== undefined;

/** Who is told of damage that something else stands in for; default: a warning of the process. */
interface Told {
  readonly warn?: (message: string) => void;
}

/** Creates the folder of a new run. @throws BulwarkError RUN_EXISTS, RUN_WRITE */
export function createRunFolder(path: string, frozen: FrozenConfig, told: Told = {}): RunFolder {
  if (holdsRun(path))
    throw new BulwarkError('RUN_EXISTS', `${path} holds a run already`, {
      hint: `continue it with --resume ${path}, choose another folder with --out, or give the run another name`,
    });
  inRun(path, () => mkdirSync(join(path, 'checkpoints'), { recursive: true }));
  writeInRun(join(path, 'config.json'), sealed(frozen));
  return runFolder(path, frozen, told.warn);
}

/** Opens an existing run. @throws BulwarkError RUN_MISSING, RUN_CORRUPT */
export function openRunFolder(path: string, told: Told = {}): RunFolder {
  const file = join(path, 'config.json');
  const content = readJson(file);
  if (content === undefined)
    throw new BulwarkError('RUN_MISSING', `${resolve(path)} is not a run folder: it has no config.json`, {
      hint: 'give the folder that `bulwark train` wrote, for example runs/<name>',
    });
  if (typeof content !== 'object' || content === null) throw corrupt(file, 'holds no object');
  const { sha256, ...frozen } = content as FrozenConfig & { sha256?: unknown };
  if (sha256 !== digestOf(frozen)) throw corrupt(file, 'was changed since it was written: its checksum differs');
  const { error } = frozenConfigSchema.safeParse(frozen);
  if (error) throw corrupt(file, `holds no config of a run: ${firstWrong(error, frozen)}`);
  return runFolder(path, { ...frozen, baseFolder: baseFolderNow(path, frozen) }, told.warn);
}

function runFolder(
  path: string,
  frozen: FrozenConfig,
  warn = (message: string): void => process.emitWarning(message),
): RunFolder {
  const at = (name: string) => join(path, name);
  return {
    path,
    frozen,
    checkpoints: checkpointSet(at('checkpoints'), warn),
    freeze: (changed) => writeInRun(at('config.json'), sealed(changed)),
    writeMetrics: (history) =>
      writeInRun(at('metrics.jsonl'), history.map((epoch) => `${JSON.stringify(epoch)}\n`).join('')),
    readMetrics() {
      const file = at('metrics.jsonl');
      const lines = (readText(file) ?? '').split('\n').filter(Boolean);
      return lines.map((line, i) => {
        const written = parseLine(line);
        const { data, error } = epochMetricsSchema.safeParse(written);
        if (error) throw corrupt(file, `is damaged in line ${i + 1}: ${firstWrong(error, written)}`);
        return data;
      });
    },
    readTimings() {
      const lines = (readText(at('timings.jsonl')) ?? '').split('\n');
      const timings = lines.flatMap((line) => timingSchema.safeParse(parseLine(line)).data ?? []);
      const byEpoch = new Map(timings.map((timing) => [timing.epoch, timing]));
      return [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
    },
    addTiming: (timing) =>
      inRun(at('timings.jsonl'), () => appendFileSync(at('timings.jsonl'), `${JSON.stringify(timing)}\n`)),
    writeSummary: (summary) => writeInRun(at('summary.json'), json(summary)),
    removeSummary: () => inRun(at('summary.json'), () => rmSync(at('summary.json'), { force: true })),
    readSummary() {
      const summary = readJson(at('summary.json'));
      if (summary === undefined) return undefined;
      const { error } = summarySchema.safeParse(summary);
      if (error) throw corrupt(at('summary.json'), `holds no summary of a run: ${firstWrong(error, summary)}`);
      return summary as Record<string, unknown>;
    },
  };
}

const parseLine = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
};

/** Removes what a killed process left half-written. Call it only while holding the run's lock. */
export function sweepRunFolder(path: string): void {
  inRun(path, () => {
    for (const folder of [path, join(path, 'checkpoints')])
      for (const name of statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [])
        if (isTemporary(name) || /\.tmp-\d+$|(^|\.)next\.safetensors$/.test(name))
          rmSync(join(folder, name), { force: true });
  });
}
