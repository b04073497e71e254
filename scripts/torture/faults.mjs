// Faults before, in and after the file operations of whole runs: kill, full disk, bad disk; with and without hard links.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { BulwarkError, createRandom, resumeRun } from '../../packages/core/dist/index.js';
import { openRunFolder } from '../../packages/core/dist/run/index.js';
import { faultyFiles, Killed } from '../../packages/core/dist/testing/faulty-files.js';
import { startTiny, testRegistry } from '../../packages/cli/dist/train/testing.js';

/** What a run leaves, whatever happened on the way. */
const lasting = [
  ...['metrics.jsonl', 'summary.json', 'checkpoints/last.safetensors'],
  ...['checkpoints/epoch.safetensors', 'checkpoints/best.safetensors'],
];
const contents = (run) => lasting.map((name) => fs.readFileSync(join(run, name)).toString('base64')).join('\n');

/** The best epoch is the second of three, so that `best`, `epoch` and `last` are three states at the end. */
const config = {
  ...{ engine: 'cpu', model: { use: 'mlp', depth: 0 }, objective: 'natural', epochs: 3 },
  data: { use: 'tiny', train: 48, batchSize: 16 },
  // the third epoch ruins what the second has reached
  optimizer: { use: 'sgd', learningRate: 0.5, schedule: { use: 'piecewise', points: [{ from: 3, factor: 1e4 }] } },
  evaluation: { attacks: ['fgsm'], examples: 24, selectBest: 'clean' },
  checkpoint: { minutes: 1e-6 },
  guard: { collapse: { epochs: 0 } },
};
const clear = ['RUN_WRITE', 'RUN_CORRUPT', 'RUN_MISSING', 'CHECKPOINT_CORRUPT', 'CHECKPOINT_MISSING', 'FILE_WRITE'];

/** Trains to the end, from the beginning or from where the folder stands. */
async function session(folder) {
  const warn = () => undefined;
  const begun = fs.existsSync(join(folder, 'config.json'));
  const run = begun ? await resumeRun(folder, { registry: testRegistry(), warn }) : await startTiny(config, folder);
  try {
    await run.train();
  } finally {
    run.dispose();
  }
}

/** Who only reads must see checkpoints that belong together: `best` as `last` tells of it. */
function inconsistency(folder) {
  if (!fs.existsSync(join(folder, 'config.json'))) return undefined;
  const { checkpoints } = openRunFolder(folder, { warn: () => undefined });
  if (!checkpoints.has('last')) return undefined;
  const { state } = checkpoints.load('last');
  if (checkpoints.load('epoch').state.step !== 0) return 'epoch is no end of an epoch';
  if (checkpoints.has('best') !== (state.best !== undefined)) return 'last and best disagree whether there is a best';
  if (state.best && checkpoints.load('best').state.epoch !== state.best.epoch)
    return 'best is of another epoch than last says';
  return undefined;
}

export async function torture({ until, seed, folder: onDisk, report }) {
  // in memory where that can be had: what counts is the order of operations, not the disk
  const folder = fs.existsSync('/dev/shm') ? fs.mkdtempSync('/dev/shm/bulwark-torture-') : onDisk;
  fs.mkdirSync(folder, { recursive: true });
  const names = Object.keys(fs).filter((name) => name.endsWith('Sync'));
  const real = { ...fs };
  const files = faultyFiles(real, folder);
  Object.assign(fs, files.functions);
  syncBuiltinESMExports();
  const remove = (path) => real.rmSync(path, { recursive: true, force: true });

  /** One session with a fault. @returns how it ended */
  const broken = async (run, fault, links) => {
    files.begin(fault, links);
    try {
      await session(run);
      return files.happened ? 'it went on' : 'no fault';
    } catch (error) {
      if (error instanceof Killed) return 'killed';
      if (error instanceof BulwarkError && clear.includes(error.code)) return error.code;
      return `unclear: ${error.stack}`;
    } finally {
      files.reboot();
      files.begin(undefined, links);
    }
  };

  try {
    const whole = join(folder, 'whole');
    files.begin();
    await session(whole);
    const wanted = contents(whole);
    const { best } = JSON.parse(real.readFileSync(join(whole, 'summary.json'), 'utf8'));
    if (best.epoch !== 2) throw new Error(`the best epoch is ${best.epoch}, not 2`);
    const { operations } = files;
    const kinds = ['kill', 'ENOSPC', 'EIO'].flatMap((what) =>
      ['before', 'half', 'after'].flatMap((when) => [true, false].map((links) => ({ what, when, links }))),
    );
    const all = Array.from({ length: operations }, (_, at) => kinds.map((kind) => ({ at, ...kind }))).flat();
    const random = createRandom(seed, 'torture-faults');
    for (let i = all.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      [all[i], all[j]] = [all[j], all[i]];
    }
    const run = join(folder, 'run');
    for (const { at, what, when, links } of all) {
      if (Date.now() >= until()) break;
      remove(run);
      const name = `${what} ${when} operation ${at} of ${operations}${links ? '' : ', without hard links'}`;
      const ended = await broken(run, { at, what, when }, links);
      if (ended === 'no fault') continue; // nothing that a full disk or half a write could stop
      report.attempt();
      try {
        if (ended.startsWith('unclear')) report.failure(`${name}: ${ended}`);
        const wrong = inconsistency(run);
        if (wrong) report.failure(`${name}: ${wrong}`);
        // one in three is hit again while it is mended
        if (random.integer(3) === 0) await broken(run, { at: random.integer(60), what: 'kill', when: 'after' }, links);
        await session(run);
        if (contents(run) !== wanted) report.failure(`${name}: the run ends with other bytes`);
      } catch (error) {
        report.failure(`${name}, which ended as ${ended}: ${error.stack}`);
      }
    }
  } finally {
    for (const name of names) fs[name] = real[name];
    syncBuiltinESMExports();
    remove(folder);
  }
}
