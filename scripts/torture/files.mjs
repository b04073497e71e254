// Mutated and handmade files, through every reader, within limits on time and memory.
import { fork } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '../../packages/core/dist/index.js';
import { digestOf } from '../../packages/core/dist/files/index.js';
import { copyBeside, writeCorpus } from './corpus.mjs';
import { mutate } from './mutate.mjs';

/** Seconds of processor time, and bytes more than before, that reading one file may take. */
export const limits = { seconds: 10, bytes: 1.25 * 2 ** 30 };
const tick = 50;

const statusOf = (pid) => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return { seconds: (Number(fields[11]) + Number(fields[12])) / 100, bytes: Number(fields[21]) * 4096 };
  } catch {
    return undefined;
  }
};

/** A reading process, started anew whenever it had to be ended. */
function reader() {
  let child;
  const start = () =>
    new Promise((ready, failed) => {
      child = fork(new URL('./readers.mjs', import.meta.url).pathname, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
      child.once('message', ready);
      child.once('exit', (code) => failed(new Error(`the reader did not start: ${code}`)));
    });
  return {
    async read(task) {
      if (!child?.connected) await start();
      const before = statusOf(child.pid);
      return new Promise((resolve) => {
        const end = (answer) => {
          clearInterval(watch);
          child.removeAllListeners();
          resolve(answer);
        };
        const watch = setInterval(() => {
          const now = statusOf(child.pid);
          if (!now || !before) return;
          const [seconds, bytes] = [now.seconds - before.seconds, now.bytes - before.bytes];
          if (seconds < limits.seconds && bytes < limits.bytes) return;
          child.removeAllListeners();
          child.kill('SIGKILL');
          end({ outcome: 'limit', message: `${seconds.toFixed(1)} s, ${(bytes / 2 ** 20).toFixed(0)} MiB more` });
        }, tick);
        child.once('message', end);
        child.once('exit', (code, signal) => end({ outcome: 'limit', message: `it died: ${signal ?? code}` }));
        child.send(task);
      });
    },
    close: () => child?.kill('SIGKILL'),
  };
}

/** Seals what has a seal again, so that what stands behind it is reached. */
function resealed(file, bytes, random) {
  if (!/(config|custom)\.json$/.test(file) || random.integer(4) === 0) return bytes;
  try {
    const { sha256: _, ...rest } = JSON.parse(bytes.toString());
    return Buffer.from(JSON.stringify({ ...rest, sha256: digestOf(rest) }));
  } catch {
    return bytes;
  }
}

/** Files that are read, or refused with an error of Bulwark's own. */
const fine = new Set([
  ...[
    'read',
    'DATA_CORRUPT',
    'DATA_MISSING',
    'WEIGHTS_INVALID',
    'MODEL_INVALID',
    'CHECKPOINT_CORRUPT',
    'CHECKPOINT_MISSING',
  ],
  ...[
    'RUN_CORRUPT',
    'RUN_MISSING',
    'CONFIG_PARSE',
    'CONFIG_INVALID',
    'CONFIG_EXTENDS',
    'PLUGIN_UNKNOWN',
    'BATCH_INVALID',
  ],
]);

export async function torture({ until, seed, folder, report }) {
  const { honest, hostile } = await writeCorpus(join(folder, 'corpus'));
  const [child, work] = [reader(), join(folder, 'work')];
  const random = createRandom(seed, 'torture-files');
  const judge = async (task, name) => {
    const { outcome, message } = await child.read(task);
    report.attempt();
    if (fine.has(outcome)) return;
    const kept = join(folder, 'failures', `${name}-${report.attempts}`);
    mkdirSync(join(folder, 'failures'), { recursive: true });
    cpSync(task.file, kept);
    report.failure(`${task.reader}: ${outcome}, kept as ${kept}: ${message}`);
  };
  try {
    for (const task of honest) {
      const { outcome, message } = await child.read(task);
      if (outcome !== 'read' && !/evil|namespace|module|index\.json|cifar|scipy|numpy|images\.npy/.test(task.file))
        report.failure(`${task.file}, which is honest: ${outcome} ${message}`);
    }
    for (const task of hostile) await judge(task, 'handmade');
    const originals = honest.map(({ file }) => readFileSync(file));
    mkdirSync(work, { recursive: true });
    for (const { file, within, reader } of honest) {
      if (within) cpSync(within, join(work, 'run'), { recursive: true });
      else if (reader === 'layers') cpSync(join(file, '..'), join(work, 'layers'), { recursive: true });
      else copyBeside(file, work);
    }
    while (Date.now() < until()) {
      const i = random.integer(honest.length);
      const { reader, file, within } = honest[i];
      const target = within
        ? join(work, 'run', file.slice(within.length))
        : reader === 'layers'
          ? join(work, 'layers/model.json')
          : join(work, file.split('/').at(-1));
      rmSync(target, { force: true });
      writeFileSync(target, resealed(file, mutate(originals[i], random), random));
      await judge({ reader, file: target }, file.split('/').at(-1));
      if (within || reader === 'layers' || reader === 'weights') writeFileSync(target, originals[i]);
    }
  } finally {
    child.close();
  }
}
