// One training after another in folders of their own, several at a time; whatever is finished is not done again.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bulwark = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));

/** The command, with what it says kept in the folder. @throws Error with the place of what it said */
function ran(args, { log, running }) {
  const out = openSync(log, 'a');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bulwark, ...args], { stdio: ['ignore', out, out] });
    running.add(child);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running.delete(child);
      closeSync(out);
      if (code === 0) resolve();
      else reject(new Error(`bulwark ${args[0]} ended with ${signal ?? code}; it said why in ${log}`));
    });
  });
}

/** Trains and attacks one model, or goes on where that stopped. */
async function finish({ folder, config }, { images, running }) {
  mkdirSync(folder, { recursive: true });
  const [run, log, result] = ['run', 'log.txt', 'autoattack.json'].map((name) => join(folder, name));
  const done = join(run, 'summary.json');
  if (!existsSync(done)) {
    const path = join(folder, 'config.json');
    writeFileSync(path, JSON.stringify(config, null, 2));
    const begun = existsSync(join(run, 'config.json'));
    await ran(begun ? ['train', '--resume', run] : ['train', path, '--out', run], { log, running });
  }
  const finished = join(folder, 'finished');
  if (existsSync(finished)) return;
  const attack = ['evaluate', run, '--attacks', 'autoattack', '--images', String(images), '--no-probes'];
  await ran([...attack, '--checkpoint', 'last', '--out', result], { log, running });
  writeFileSync(finished, '');
}

/** All jobs, so many at a time. After a failure those that run end, and no other begins. */
export async function finishAll(jobs, { atOnce, images, say }) {
  const [waiting, running] = [[...jobs], new Set()];
  const stop = () => running.forEach((child) => child.kill('SIGTERM'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let [failure, count] = [undefined, 0];
  const worker = async () => {
    while (waiting.length > 0 && !failure) {
      const job = waiting.shift();
      try {
        await finish(job, { images, running });
        say(`${++count} of ${jobs.length}: ${job.folder}, ${(100 * robustOf(job)).toFixed(1)} % robust`);
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failure) throw failure;
}

const resultOf = ({ folder }) => JSON.parse(readFileSync(join(folder, 'autoattack.json'), 'utf8'));

/** Accuracies of a finished job, in [0, 1]. */
export const cleanOf = (job) => resultOf(job).clean.accuracy;
export const robustOf = (job) => resultOf(job).worst.accuracy;
