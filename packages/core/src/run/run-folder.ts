import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BulwarkError } from '../errors.js';
import type { CheckpointStore, EpochMetrics, Snapshot } from '../trainer/index.js';
import { writeAtomically, writeFailure } from './atomic-write.js';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.js';
import type { RunConfig } from './config.js';

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
  readonly checkpoints: CheckpointStore & { has(kind: CheckpointName): boolean };
  /** Replaces `metrics.jsonl` by these epochs, one line each; the same seed gives the same bytes. */
  writeMetrics(history: readonly EpochMetrics[]): void;
  readMetrics(): EpochMetrics[];
  /** Adds a line to `timings.jsonl`: what differs from machine to machine. */
  addTiming(timing: object): void;
  writeSummary(summary: object): void;
  readSummary(): Record<string, unknown> | undefined;
}

type CheckpointName = 'last' | 'best';

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

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
  writeAtomically(join(path, 'config.json'), json(frozen));
  return runFolder(path, frozen);
}

/** Opens an existing run. @throws BulwarkError RUN_MISSING, CONFIG_PARSE */
export function openRunFolder(path: string): RunFolder {
  const file = join(path, 'config.json');
  if (!existsSync(file))
    throw new BulwarkError('RUN_MISSING', `${resolve(path)} is not a run folder: it has no config.json`, {
      cure: 'give the folder that `bulwark train` wrote, for example runs/<name>',
    });
  try {
    return runFolder(path, JSON.parse(readFileSync(file, 'utf8')) as FrozenConfig);
  } catch (cause) {
    throw new BulwarkError('CONFIG_PARSE', `${file} cannot be read: ${(cause as Error).message}`, {
      cure: 'restore the file, or train again',
      cause,
    });
  }
}

function runFolder(path: string, frozen: FrozenConfig): RunFolder {
  const at = (name: string) => join(path, name);
  return {
    path,
    frozen,
    checkpoints: checkpointFiles(at('checkpoints')),
    writeMetrics: (history) =>
      writeAtomically(at('metrics.jsonl'), history.map((epoch) => `${JSON.stringify(epoch)}\n`).join('')),
    readMetrics: () =>
      existsSync(at('metrics.jsonl'))
        ? readFileSync(at('metrics.jsonl'), 'utf8')
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line) as EpochMetrics)
        : [],
    addTiming(timing) {
      try {
        appendFileSync(at('timings.jsonl'), `${JSON.stringify(timing)}\n`);
      } catch (error) {
        throw writeFailure(at('timings.jsonl'), error);
      }
    },
    writeSummary: (summary) => writeAtomically(at('summary.json'), json(summary)),
    readSummary: () =>
      existsSync(at('summary.json')) ? JSON.parse(readFileSync(at('summary.json'), 'utf8')) : undefined,
  };
}

/** Checkpoints as files. The previous `last` stays until the new one is whole, and is what a damaged `last` falls back to. */
function checkpointFiles(folder: string): RunFolder['checkpoints'] {
  const file = (name: string) => join(folder, `${name}.safetensors`);
  const read = (name: string): Snapshot => decodeCheckpoint(readFileSync(file(name)), file(name));
  return {
    has: (kind) => existsSync(file(kind)) || (kind === 'last' && existsSync(file('previous'))),
    save(kind, snapshot) {
      const next = file(`${kind}.next`);
      writeAtomically(next, encodeCheckpoint(snapshot));
      if (kind === 'last' && existsSync(file('last'))) renameSync(file('last'), file('previous'));
      renameSync(next, file(kind));
    },
    load(kind) {
      const candidates = (kind === 'last' ? ['last', 'previous'] : [kind]).filter((name) => existsSync(file(name)));
      let failure: unknown;
      for (const name of candidates) {
        try {
          return read(name);
        } catch (error) {
          failure ??= error;
        }
      }
      throw (
        failure ??
        new BulwarkError('CHECKPOINT_MISSING', `${folder} has no ${kind} checkpoint`, { cure: 'train the run first' })
      );
    },
  };
}
