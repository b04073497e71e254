import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform } from 'node:os';
import { join } from 'node:path';
import { version_core } from '@tensorflow/tfjs-core';
import { cacheFolder } from '../cache-folder.js';
import type { EngineSession } from '../engine.js';

const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string };

/** All that an engine's numbers may depend on and that we can know. */
const factsOf = (name: string, { description, device, dtypes, threads }: EngineSession) => ({
  engine: { name, description, device, dtypes, threads },
  machine: { platform: platform(), arch: arch(), processor: cpus()[0]?.model },
  versions: { bulwark: version, tensorflowJs: version_core, node: process.version },
});

function fileOf(facts: object): string {
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32);
  return join(cacheFolder(), 'numerics', `${digest}.json`);
}

/** Whether this engine has computed right numbers on this machine before. */
export const isKnownRight = (name: string, session: EngineSession): boolean =>
  existsSync(fileOf(factsOf(name, session)));

/** Notes that it did. Without a folder to write into, the comparison is made each time. */
export function rememberRight(name: string, session: EngineSession): void {
  const facts = factsOf(name, session);
  const file = fileOf(facts);
  try {
    mkdirSync(join(cacheFolder(), 'numerics'), { recursive: true });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, `${JSON.stringify(facts, null, 2)}\n`);
    renameSync(draft, file);
  } catch {
    // a read-only or full home is no reason not to compute
  }
}
