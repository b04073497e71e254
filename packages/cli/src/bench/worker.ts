import type { BulwarkError } from '@bulwark/core';
import { diagnoseEngine } from '@bulwark/core/engine';
import { engineNamed, registryWith, type GivenEngine } from '../engines/given.js';
import type { ChildJob, ChildMessage } from './child.js';
import { benchEngine } from './bench-engine.js';
import type { BenchSettings } from './settings.js';

/** What `inChild` passes on. */
interface Given {
  readonly engine: GivenEngine;
  readonly plugins?: string;
  readonly settings: BenchSettings & { seconds: number };
}

/** Entry of a measuring process: `worker.js <job> <JSON with engine and settings>`. */
const [job, given] = process.argv.slice(2) as [ChildJob, string];
const { engine, plugins, settings } = JSON.parse(given) as Given;

const tell = (message: ChildMessage<unknown>): void => void process.send!(message);
const progress = (text: string): void => tell({ kind: 'progress', text });

const jobs: Readonly<Record<ChildJob, () => Promise<unknown>>> = {
  async diagnose() {
    const { use, ...options } = engine.request;
    return diagnoseEngine(engineNamed(use, await registryWith(plugins)), { ...settings, options });
  },
  bench: async () => benchEngine(engine, { registry: await registryWith(plugins), settings, progress }),
};

await jobs[job]().then(
  (result) => tell({ kind: 'result', result }),
  ({ message, hint }: BulwarkError) => tell({ kind: 'failed', message, hint }),
);
process.disconnect();
