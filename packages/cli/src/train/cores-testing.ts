import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '@bulwark/core';
import { main, runNode } from '../testing.js';
import { temporaryFolder } from './testing.js';

const reportCores = fileURLToPath(new URL('../../fixtures/report-cores.cjs', import.meta.url));

/** Seconds in which a process starts and trains one step, many times what it takes. */
const limit = 40;

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
  const child = runNode(['-r', reportCores, main, 'train', config, '--out', join(folder, 'run')], {
    env: { ...inherited, REPORTED_CORES: String(cores), NO_COLOR: '1' },
    seconds: limit,
  });
  if (child.status !== 0)
    throw new Error(
      `exit code ${child.status}, ${engine} with ${cores} cores reported:\n${child.stdout}${child.stderr}`,
    );
  return readFileSync(join(folder, 'run', 'metrics.jsonl'), 'utf8');
}
