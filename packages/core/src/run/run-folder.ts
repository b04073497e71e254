import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BulwarkError } from '../errors.js';
import type { CheckpointKind, CheckpointStore, EpochMetrics } from '../trainer/index.js';
import { writeAtomically, writeFailure } from './atomic-write.js';
import { checkpointFiles } from './checkpoint-files.js';
import type { RunConfig } from './config.js';
import { digestOf } from './fingerprint.js';

/** What `config.json` of a run folder holds: the composed config and what it ran with. */
export interface FrozenConfig {
  readonly config: RunConfig;
  /** Folder that relative paths in the config refer to. */
  readonly baseFolder: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly engine: string;
}

/** A run on disk: `config.json`, `metrics.jsonl`, `timings.jsonl`, `checkpoints/`, `summary.json`. */
export interface RunFolder {
  readonly path: string;
  readonly frozen: FrozenConfig;
  readonly checkpoints: CheckpointStore & {
    /** Is there such a checkpoint? */
    has(kind: CheckpointKind): boolean;
  };
  /** Replaces `config.json`. */
  freeze(frozen: FrozenConfig): void;
  /** Replaces `metrics.jsonl` by these epochs, one line each; the same seed gives the same bytes. */
  writeMetrics(history: readonly EpochMetrics[]): void;
  /** @throws BulwarkError RUN_CORRUPT */
  readMetrics(): EpochMetrics[];
  /** Adds a line to `timings.jsonl`: what differs from machine to machine. */
  addTiming(timing: object): void;
  /** Writes `summary.json`. */
  writeSummary(summary: object): void;
  /** @throws BulwarkError RUN_CORRUPT */
  readSummary(): Record<string, unknown> | undefined;
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** The frozen config with a checksum: a run must not go on from a config that it was not composed with. */
const sealed = (frozen: FrozenConfig) => json({ ...frozen, sha256: digestOf(frozen) });

const corrupt = (path: string, why: string, cause?: unknown) =>
  new BulwarkError('RUN_CORRUPT', `${path} ${why}`, {
    cure: 'restore the file; to train with another config, start a new run',
    cause,
  });

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw corrupt(path, `cannot be read: ${(cause as Error).message}`, cause);
  }
}

/** Creates the folder of a new run. @throws BulwarkError RUN_EXISTS, RUN_WRITE */
export function createRunFolder(path: string, frozen: FrozenConfig): RunFolder {
  if (existsSync(join(path, 'config.json')))
    throw new BulwarkError('RUN_EXISTS', `${path} holds a run already`, {
      cure: `continue it with --resume ${path}, choose another folder with --out, or give the run another name`,
    });
  try {
    mkdirSync(join(path, 'checkpoints'), { recursive: true });
  } catch (error) {
    throw writeFailure(path, error);
  }
  writeAtomically(join(path, 'config.json'), sealed(frozen));
  return runFolder(path, frozen);
}

/** Opens an existing run. @throws BulwarkError RUN_MISSING, RUN_CORRUPT */
export function openRunFolder(path: string): RunFolder {
  const file = join(path, 'config.json');
  if (!existsSync(file))
    throw new BulwarkError('RUN_MISSING', `${resolve(path)} is not a run folder: it has no config.json`, {
      cure: 'give the folder that `bulwark train` wrote, for example runs/<name>',
    });
  const content = readJson(file);
  if (typeof content !== 'object' || content === null) throw corrupt(file, 'holds no object');
  const { sha256, ...frozen } = content as FrozenConfig & { sha256?: unknown };
  if (sha256 !== digestOf(frozen)) throw corrupt(file, 'was changed since it was written: its checksum differs');
  return runFolder(path, frozen);
}

function runFolder(path: string, frozen: FrozenConfig): RunFolder {
  const at = (name: string) => join(path, name);
  return {
    path,
    frozen,
    checkpoints: checkpointFiles(at('checkpoints')),
    freeze: (changed) => writeAtomically(at('config.json'), sealed(changed)),
    writeMetrics: (history) =>
      writeAtomically(at('metrics.jsonl'), history.map((epoch) => `${JSON.stringify(epoch)}\n`).join('')),
    readMetrics() {
      if (!existsSync(at('metrics.jsonl'))) return [];
      const lines = readFileSync(at('metrics.jsonl'), 'utf8').split('\n').filter(Boolean);
      return lines.map((line, i) => {
        try {
          return JSON.parse(line) as EpochMetrics;
        } catch (cause) {
          throw corrupt(at('metrics.jsonl'), `is damaged in line ${i + 1}`, cause);
        }
      });
    },
    addTiming(timing) {
      try {
        appendFileSync(at('timings.jsonl'), `${JSON.stringify(timing)}\n`);
      } catch (error) {
        throw writeFailure(at('timings.jsonl'), error);
      }
    },
    writeSummary: (summary) => writeAtomically(at('summary.json'), json(summary)),
    readSummary: () =>
      existsSync(at('summary.json')) ? (readJson(at('summary.json')) as Record<string, unknown>) : undefined,
  };
}
