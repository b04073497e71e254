// Processes that write and read the same results, some of which are killed in between: no half results, no failed writes, none forgotten.
import { fork } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '../../packages/core/dist/index.js';
import { loadEvaluation } from '../../packages/core/dist/evaluation/index.js';
import { honestRun } from './honest-run.mjs';

const writers = 2;

export async function torture({ until, seed, folder, report }) {
  mkdirSync(folder, { recursive: true });
  await honestRun(folder);
  const random = createRandom(seed, 'torture-results');
  const [free, counted, ledger] = ['free.json', 'counted.json', 'ledger'].map((name) => join(folder, name));
  for (const file of [free, counted]) copyFileSync(join(folder, 'honest/evaluation/best/custom.json'), file);
  const before = (await loadEvaluation(counted)).seed;
  writeFileSync(ledger, '');
  let killed = 0;
  const run = () =>
    new Promise((ended) => {
      const child = fork(new URL('./results-writer.mjs', import.meta.url).pathname, [free, counted, ledger]);
      child.once('message', () => {
        const patience = Math.max(50, Math.min(until() - Date.now(), 300 + random.integer(3000)));
        setTimeout(() => child.kill('SIGKILL'), patience);
      });
      child.on('exit', (code, signal) => {
        if (signal === 'SIGKILL') killed++;
        else report.failure(`a writer ended with ${signal ?? code}`);
        ended();
      });
    });
  const chain = async () => {
    do await run();
    while (Date.now() < until() - 500);
  };
  await Promise.all(Array.from({ length: writers }, chain));

  const lines = readFileSync(ledger, 'utf8').split('\n').filter(Boolean);
  for (const line of lines) {
    report.attempt();
    if (line.startsWith('failure')) report.failure(line);
  }
  // one that was killed between its write and its note has counted without saying so
  const noted = lines.filter((line) => line === 'counted').length;
  const found = (await loadEvaluation(counted)).seed - before;
  if (found < noted || found > noted + killed)
    report.failure(`${found} were counted, of ${noted} that were noted by writers of which ${killed} were killed`);
  await loadEvaluation(free);
}
