import { diagnoseEngine, type BulwarkError, type EngineName } from '@bulwark/core';
import type { ChildJob, ChildMessage } from './child.js';
import { benchEngine } from './bench-engine.js';
import type { BenchSettings } from './settings.js';

/** Entry of a measuring process: `worker.js <job> <JSON with engine and settings>`. */
const [job, given] = process.argv.slice(2) as [ChildJob, string];
const settings = JSON.parse(given) as BenchSettings & { engine: EngineName; seconds: number };

const tell = (message: ChildMessage<unknown>): void => void process.send!(message);
const progress = (text: string): void => tell({ kind: 'progress', text });

const jobs: Readonly<Record<ChildJob, () => Promise<unknown>>> = {
  diagnose: () => diagnoseEngine(settings.engine, settings),
  bench: () => benchEngine(settings.engine, { settings, progress }),
};

await jobs[job]().then(
  (result) => tell({ kind: 'result', result }),
  ({ message, cure }: BulwarkError) => tell({ kind: 'failed', message, cure }),
);
process.disconnect();
