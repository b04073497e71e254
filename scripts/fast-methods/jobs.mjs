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

const [runOf, logOf] = ['run', 'log.txt'].map((name) => (job) => join(job.folder, name));
const isTrained = (job) => existsSync(join(runOf(job), 'summary.json'));

/** Trains one model, or goes on where that stopped. */
export const training = {
  needs: (job) => !isTrained(job),
  async make(job, running) {
    mkdirSync(job.folder, { recursive: true });
    const [path, run] = [join(job.folder, 'config.json'), runOf(job)];
    writeFileSync(path, JSON.stringify(job.config, null, 2));
    const begun = existsSync(join(run, 'config.json'));
    await ran(begun ? ['train', '--resume', run] : ['train', path, '--out', run], { log: logOf(job), running });
  },
};

/** Attacks one model. @param engine as `--engine` has it; the training's own by default */
export const attacking = (engine) => ({
  needs: (job) => isTrained(job) && !isFinished(job),
  async make(job, running) {
    const attack = ['evaluate', runOf(job), '--attacks', 'autoattack', '--images', String(job.images), '--no-probes'];
    const how = [...attack, '--checkpoint', 'last', '--out', resultFile(job), ...(engine ? ['--engine', engine] : [])];
    await ran(how, { log: logOf(job), running });
    writeFileSync(finishedFile(job), '');
  },
});

const resultFile = ({ folder, images }) => join(folder, `autoattack-${images}.json`);
const finishedFile = ({ folder, images }) => join(folder, `finished-${images}`);

/** Whether a job needs nothing more. */
export const isFinished = (job) => existsSync(finishedFile(job));

/** All jobs that need some work, so many at a time. After a failure those that run end, and no other begins. */
export async function finishAll(jobs, { work, atOnce, done }) {
  const [waiting, running] = [jobs.filter(work.needs), new Set()];
  const all = waiting.length;
  const stop = () => running.forEach((child) => child.kill('SIGTERM'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let failure;
  let count = 0;
  const worker = async () => {
    while (waiting.length > 0 && !failure) {
      const job = waiting.shift();
      try {
        await work.make(job, running);
        await done(job, `${++count} of ${all}`);
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failure) throw failure;
}

const resultOf = (job) => JSON.parse(readFileSync(resultFile(job), 'utf8'));

/** Accuracies of a finished job, in [0, 1]. */
export const cleanOf = (job) => resultOf(job).clean.accuracy;
export const robustOf = (job) => resultOf(job).worst.accuracy;
