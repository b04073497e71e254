// Writes and reads results that others write and read, too, noting each step in a ledger; until it is killed.
import { appendFileSync } from 'node:fs';
import { BulwarkError } from '../../packages/core/dist/index.js';
import { loadEvaluation, lockEvaluation, saveEvaluation } from '../../packages/core/dist/evaluation/index.js';

const [, , free, counted, ledger] = process.argv;
const note = (line) => appendFileSync(ledger, `${line}\n`);

/** One more in the file, unless another process is at it. */
async function count() {
  let lock;
  try {
    lock = lockEvaluation(counted);
  } catch (error) {
    if (error instanceof BulwarkError && error.code === 'RUN_LOCKED') return;
    throw error;
  }
  const result = await loadEvaluation(counted);
  await saveEvaluation(counted, { ...result, seed: result.seed + 1 });
  note('counted');
  lock.release();
}

process.send('ready');
for (let step = 0; ; step++) {
  try {
    const result = await loadEvaluation(free);
    note('read');
    await saveEvaluation(free, { ...result, seed: step });
    note('written');
    await count();
  } catch (error) {
    note(`failure ${String(error?.stack ?? error).replaceAll('\n', ' | ')}`);
  }
}
