import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { versions } from '@bulwark/core/run';

/** One command of bulwark within a job, written so that it can be given again at any moment. */
export interface Step {
  readonly arguments: readonly string[];
  /** Given instead once the file `when` is there: how to go on. */
  readonly resume?: { readonly when: string; readonly arguments: readonly string[] };
  /** Nothing is left to do once this file is there. */
  readonly done?: string;
}

/** Commands that one process gives one after the other, on this machine or on another that sees the same folders. */
export interface Job {
  /** Path of the job's folder under `jobs/`: letters, digits, `. _ = -` and slashes. */
  readonly id: string;
  readonly steps: readonly Step[];
  /** Whether all is done, by the files that the steps leave. */
  readonly finished: () => boolean | Promise<boolean>;
}

/** How a job ended, in its own words. */
export interface Outcome {
  readonly code: number;
  readonly host: string;
  readonly message?: string;
}

/** What the one who hands a job over keeps of it. */
export interface Handover {
  readonly launcher: string;
  readonly handle: string;
}

interface Order {
  readonly id: string;
  readonly steps: readonly Step[];
  readonly folder: string;
  readonly bulwark: string;
}

/** The folder of one job: `job.json` says what to do; `handover.json`, `began.json`, `outcome.json` and `log.txt` what came of it. */
export interface JobFolder {
  readonly path: string;
  readonly log: string;
  writeOrder(job: Job): void;
  /** @throws BulwarkError LAUNCH_LOST if there is none */
  readOrder(): Order;
  readonly handover: Slot<Handover>;
  readonly began: Slot<{ host: string }>;
  readonly outcome: Slot<Outcome>;
}

/** A small JSON file. */
interface Slot<T> {
  read(): T | undefined;
  write(value: T): void;
  clear(): void;
}

function slot<T>(file: string): Slot<T> {
  return {
    read() {
      if (!existsSync(file)) return undefined;
      try {
        return JSON.parse(readFileSync(file, 'utf8')) as T;
      } catch {
        return undefined; // a folder on a network may show a file before its content
      }
    },
    write: (value) => writeAtomically(file, `${JSON.stringify(value, null, 2)}\n`),
    clear: () => rmSync(file, { force: true }),
  };
}

/** Opens the folder of a job, whether or not it is there. */
export function jobFolder(path: string): JobFolder {
  const order = slot<Order>(join(path, 'job.json'));
  return {
    path,
    log: join(path, 'log.txt'),
    writeOrder({ id, steps }) {
      mkdirSync(path, { recursive: true });
      order.write({ id, steps, folder: process.cwd(), bulwark: versions()['bulwark']! });
    },
    readOrder() {
      const found = order.read();
      if (found) return found;
      throw new BulwarkError('LAUNCH_LOST', `${path} holds no job.json, or this machine does not see it`, {
        hint: 'let sweeps and runs be in a folder that all machines share',
      });
    },
    handover: slot(join(path, 'handover.json')),
    began: slot(join(path, 'began.json')),
    outcome: slot(join(path, 'outcome.json')),
  };
}
