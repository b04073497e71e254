import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, platform } from 'node:os';
import { join } from 'node:path';
import { version_core } from '../tensor/index.js';
import { cacheFolder } from './cache-folder.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/** What whatever is found out about an engine may depend on, besides the engine. */
const surroundings = () => ({
  machine: { platform: platform(), arch: arch(), processor: cpus()[0]?.model, cores: availableParallelism() },
  versions: { bulwark: version, tensorflowJs: version_core, node: process.version },
});

/** Something that was found out on this machine and holds until one of `facts`, the machine or a version changes. */
export interface Note {
  /** What was noted, if it was, as JSON has it. */
  read(): unknown;
  /** Notes it. Without a folder to write into, it is found out each time. */
  write(value: unknown): void;
}

/** The note of a kind on these facts, in Bulwark's cache folder. */
export function noteOf(kind: string, facts: object): Note {
  const all = { ...facts, ...surroundings() };
  const digest = createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 32);
  const file = join(cacheFolder(), kind, `${digest}.json`);
  return {
    read() {
      try {
        return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { value?: unknown }).value : undefined;
      } catch {
        return undefined; // damaged: found out again
      }
    },
    write(value) {
      try {
        mkdirSync(join(cacheFolder(), kind), { recursive: true });
        const draft = `${file}.${process.pid}`;
        writeFileSync(draft, `${JSON.stringify({ ...all, value }, null, 2)}\n`);
        renameSync(draft, file);
      } catch {
        // a read-only or full home is no reason not to compute
      }
    },
  };
}
