import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '@bulwark/core';
import { temporaryFolder } from './testing.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const reportCores = fileURLToPath(new URL('../../fixtures/report-cores.cjs', import.meta.url));

/** Seconds in which a process starts and trains one step, many times what it takes. */
const limit = 60;

/** Numbers of cores: no machine has fewer than the first, and few have more than the last. */
export const reportedCores = [1, 2, 4, 16, 64];

/**
 * Trains one step of AT in a process in which Node reports so many cores, with nothing set that concerns threads.
 * @returns the lines of the run's metrics
 */
export function trainOneStep({ name: engine, options }: Engine, cores: number): string {
  const folder = temporaryFolder();
  const config = join(folder, 'step.json');
  // what threads share are convolutions; other engines may be slow at them
  const model = 'threads' in options.shape ? 'small-cnn' : { use: 'mlp', width: 8, depth: 1 };
  writeFileSync(
    config,
    JSON.stringify({
      name: 'step',
      engine,
      data: { use: 'fashion-mnist-mini', limit: { train: 32, test: 16 }, validation: 16, batchSize: 32 },
      model,
      threat: { epsilon: 0.1 },
      objective: { use: 'at', inner: { steps: 1, stepSize: 0.03 } },
      epochs: 1,
      evaluation: { attacks: ['fgsm'], final: 'none' },
    }),
  );
  const { BULWARK_THREADS: _threads, BULWARK_ENGINE: _engine, ...inherited } = process.env;
  const began = performance.now();
  const child = spawnSync(process.execPath, ['-r', reportCores, main, 'train', config, '--out', join(folder, 'run')], {
    encoding: 'utf8',
    env: { ...inherited, REPORTED_CORES: String(cores), NO_COLOR: '1' },
    timeout: limit * 1000,
    killSignal: 'SIGKILL',
  });
  const seconds = Math.round((performance.now() - began) / 1000);
  const told = `${engine} with ${cores} cores reported, after ${seconds} s of at most ${limit} s:\n${child.stdout}${child.stderr}`;
  if (child.signal) throw new Error(`the process hangs and was ended, ${told}`);
  if (child.status !== 0) throw new Error(`exit code ${child.status}, ${told}`);
  return readFileSync(join(folder, 'run', 'metrics.jsonl'), 'utf8');
}
