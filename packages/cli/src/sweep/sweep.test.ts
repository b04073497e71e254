import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { writeNpz } from '@bulwark/datasets';
import { chooseLauncher } from '../launch/index.js';
import { builtinRegistry } from '../registry.js';
import { temporaryFolder } from '../train/testing.js';
import { planSweep } from './conduct.js';
import { beginSweep } from './folder.js';
import type { JobStatus } from './status.js';
import { loadSweep } from './sweep-file.js';
import type { SweepTable } from './table.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const config = {
  name: 'tiny',
  engine: 'wasm',
  data: { use: 'fashion-mnist-mini', limit: { train: 64, test: 20 }, validation: 20, batchSize: 16 },
  model: { use: 'mlp', width: 4, depth: 1 },
  threat: { epsilon: 0.1 },
  objective: { use: 'trades', inner: { steps: 1 } },
  epochs: 2,
  evaluation: { attacks: ['fgsm'] },
  guard: { collapse: { epochs: 0 } },
};

const grid = { use: 'grid', over: { 'objective.beta': [1, 6], 'optimizer.learningRate': [0.01, 0.05] } };

/** A folder with a config and a sweep file. */
function project(sweep: object, over: object = {}): { folder: string; file: string } {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'tiny.json'), JSON.stringify({ ...config, ...over }));
  writeFileSync(join(folder, 'sweep.json'), JSON.stringify({ config: 'tiny.json', ...sweep }));
  return { folder, file: join(folder, 'sweep.json') };
}

const sweep = (folder: string, ...words: string[]) =>
  spawnSync(process.execPath, [main, 'sweep', ...words], { cwd: folder, encoding: 'utf8' });

const tableOf = (out: string) => JSON.parse(readFileSync(join(out, 'table.json'), 'utf8')) as SweepTable;

const statusOf = (folder: string, out: string) =>
  (JSON.parse(sweep(folder, 'status', out, '--json').stdout) as { jobs: JobStatus[] }).jobs;

describe('a sweep', () => {
  it('trains every point with every seed, and ends with a table and figures', () => {
    const { folder, file } = project({ seeds: '1..2', search: grid, evaluate: { attacks: ['fgsm', 'pgd:steps=2'] } });
    const out = join(folder, 'out');
    const { status, stderr } = sweep(folder, file, '--out', out, '--jobs', '2');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { rows, columns, rankedBy, missing } = tableOf(out);
    expect(rows).toHaveLength(4);
    expect(missing).toEqual([]);
    expect(columns).toEqual(expect.arrayContaining(['clean', 'fgsm', 'pgd-2', 'worst']));
    const means = rows.map(({ estimates }) => estimates[rankedBy]!.mean);
    expect(means).toEqual(means.toSorted((a, b) => b - a));
    for (const { seeds, values } of rows) {
      expect(seeds).toEqual([1, 2]);
      expect(Object.keys(values)).toEqual(['objective.beta', 'optimizer.learningRate']);
    }
    for (const figure of ['trade-off', 'parallel'])
      for (const ending of ['png', 'svg', 'csv', 'json'])
        expect(existsSync(join(out, 'figures', `${figure}.${ending}`))).toBe(true);
    const frozen = JSON.parse(readFileSync(join(out, 'runs/beta-6_learningRate-0.05/seed-2/config.json'), 'utf8')) as {
      config: { seed: number; objective: { beta: number }; optimizer: { learningRate: number } };
    };
    expect(frozen.config).toMatchObject({ seed: 2, objective: { beta: 6 }, optimizer: { learningRate: 0.05 } });

    // nothing is done twice, and nothing that was edited since comes in
    writeFileSync(join(folder, 'tiny.json'), '{}');
    const again = sweep(folder, '--resume', out);
    expect(again.status).toBe(0);
    expect(again.stdout).not.toContain('epoch 1/2');
    expect(statusOf(folder, out).map(({ state }) => state)).toEqual(Array.from({ length: 8 }, () => 'finished'));
  });

  it('that is moved or copied with its project goes on there, with the data there', () => {
    const { folder, file } = project(
      { search: { use: 'list', points: [{ 'model.width': 2 }, { 'model.width': 3 }] } },
      { epochs: 1, objective: 'natural', data: { use: 'npz', train: 'set.npz', test: 'set.npz', batchSize: 16 } },
    );
    const arrays = {
      image: { shape: [20, 4, 4, 1], data: new Uint8Array(320).map((_, i) => (i * 37) % 256) },
      label: { shape: [20], data: Int32Array.from({ length: 20 }, (_, i) => i % 2) },
    };
    writeFileSync(join(folder, 'set.npz'), writeNpz(arrays));
    expect(sweep(folder, file, '--out', join(folder, 'out')).status).toBe(0);
    const copy = join(temporaryFolder(), 'copy');
    cpSync(folder, copy, { recursive: true });
    // the data of the old place would be noticed
    writeFileSync(join(folder, 'set.npz'), 'no longer data');
    for (const words of [
      ['sweep.json', '--out', 'out'],
      ['--resume', 'out'],
    ]) {
      rmSync(join(copy, 'out/runs/width-3'), { recursive: true });
      rmSync(join(copy, 'out/jobs'), { recursive: true });
      const { status, stderr } = sweep(copy, ...words);
      expect([stderr, status]).toEqual(['', 0]);
      expect(tableOf(join(copy, 'out')).rows).toHaveLength(2);
    }
  });

  it('goes on after any number of kills, adopting jobs that outlived it, to the same table', async () => {
    const { folder, file } = project({ search: grid }, { epochs: 6 });
    const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
    expect(sweep(folder, file, '--out', whole, '--jobs', '2').status).toBe(0);
    for (const lines of [1, 4, 9]) {
      const child = spawn(process.execPath, [main, 'sweep', file, '--out', killed, '--jobs', '2'], { cwd: folder });
      let text = '';
      for await (const chunk of child.stdout) {
        text += String(chunk);
        if (text.split(' epoch ').length > lines) child.kill('SIGKILL');
      }
    }
    const last = sweep(folder, '--resume', killed);
    expect(last.stderr).toBe('');
    expect(last.status).toBe(0);
    expect(tableOf(killed).rows).toEqual(tableOf(whole).rows);
    const metrics = (out: string) =>
      readFileSync(join(out, 'runs/beta-6_learningRate-0.05/seed-1/metrics.jsonl'), 'utf8');
    expect(metrics(killed)).toBe(metrics(whole));
  });

  it('starts a job again that was killed, and says so', async () => {
    const { folder, file } = project({ search: { use: 'list', points: [{ 'objective.beta': 2 }] } }, { epochs: 100 });
    const out = join(folder, 'out');
    const child = spawn(process.execPath, [main, 'sweep', file, '--out', out], { cwd: folder });
    let text = '';
    for await (const chunk of child.stdout) {
      const before = text;
      text += String(chunk);
      if (before.includes(' epoch ') || !text.includes(' epoch ')) continue;
      const { pid } = JSON.parse(readFileSync(join(out, 'runs/beta-2/seed-1/run.lock'), 'utf8')) as { pid: number };
      process.kill(pid, 'SIGKILL');
    }
    expect(text).toContain('[beta-2/seed-1] was killed; it will go on');
    expect(text).toContain('bulwark train --resume');
    expect(tableOf(out).rows).toHaveLength(1);
  });

  it('is stopped by cancel, from another process, and goes on', async () => {
    const { folder, file } = project({ search: grid }, { epochs: 100_000 }); // far too long to finish
    const out = join(folder, 'out');
    const child = spawn(process.execPath, [main, 'sweep', file, '--out', out], { cwd: folder });
    let [text, errors, cancelled] = ['', '', ''];
    child.stderr.on('data', (chunk) => (errors += String(chunk)));
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    for await (const chunk of child.stdout) {
      text += String(chunk);
      if (cancelled === '' && text.includes(' epoch ')) cancelled = sweep(folder, 'cancel', out).stdout;
    }
    expect(cancelled).toContain(`process ${child.pid} on ${hostname()} takes its jobs away and stops`);
    expect(await ended).toBe(130);
    expect(errors).toContain('everything so far is saved');
    const states = statusOf(folder, out);
    expect(states.map(({ state }) => state)).toEqual(['stopped', 'not started', 'not started', 'not started']);
    expect(states[0]!.note).toMatch(/^epoch \d+ of 100000$/);
  });

  it('narrows down by successive halving', () => {
    const over = {
      'objective.beta': { from: 1, to: 9, integer: true },
      'optimizer.learningRate': { from: 1e-3, to: 0.1, scale: 'log' },
    };
    const { folder, file } = project({
      search: { use: 'halving', samples: 4, factor: 2, epochs: { from: 1, to: 3 }, over },
    });
    const out = join(folder, 'out');
    expect(sweep(folder, file, '--out', out, '--jobs', '2')).toMatchObject({ stderr: '', status: 0 });
    type Round = { epochs: number; points: { name: string; score: number }[] };
    const rounds = JSON.parse(readFileSync(join(out, 'rounds.json'), 'utf8')) as Round[];
    expect(rounds.map(({ epochs, points }) => [epochs, points.length])).toEqual([
      [1, 4],
      [2, 2],
      [3, 1],
    ]);
    const best = rounds[0]!.points.toSorted((a, b) => b.score - a.score).slice(0, 2);
    expect(rounds[1]!.points.map(({ name }) => name).sort()).toEqual(best.map(({ name }) => name).sort());
    expect(tableOf(out).rows).toHaveLength(1);
  });

  it('reports points that fail, with the table of the others', () => {
    const { folder, file } = project({ search: { use: 'grid', over: { 'optimizer.learningRate': [0.01, 1e30] } } });
    const out = join(folder, 'out');
    const { status, stderr } = sweep(folder, file, '--out', out);
    expect(status).toBe(1);
    expect(stderr).toMatch(/failed: objective trades: .*; its log is .*log\.txt/);
    expect(stderr).toContain('1 of 2 jobs failed');
    const { rows, missing } = tableOf(out);
    expect(rows.map(({ name }) => name)).toEqual(['learningRate-0.01']);
    expect(missing).toHaveLength(1);
    expect(statusOf(folder, out).map(({ state }) => state)).toEqual(['finished', 'failed']);
  });

  it('is priced from measured steps, and what has no price is not free', () => {
    const { folder, file } = project({ seeds: '1..3', search: grid });
    const { stdout, status } = sweep(folder, file, '--dry-run', '--json', '--out', join(folder, 'none'));
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ jobs: 12, priced: 12 });
    expect(existsSync(join(folder, 'none'))).toBe(false);
    const missing = { data: { use: 'npz', train: 'none.npz', test: 'none.npz', classes: 3 } };
    const unpriced = project({ search: grid }, missing);
    const { stdout: text } = sweep(unpriced.folder, unpriced.file, '--dry-run');
    expect(text).toContain('4 runs: none of them could be priced');
    expect(text).not.toContain('0.0s in all');
  });
});

/** A launcher as somebody else writes one: jobs go to a shell, handles are process ids. */
const ownLauncher = `
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { defineLauncher } from '@bulwark/core';
const alive = (pid: number) => { try { process.kill(pid, 0); return true; } catch { return false; } };
export const shell = defineLauncher({
  name: 'shell',
  summary: 'Jobs in a shell.',
  create: () => ({
    description: 'in a shell', capacity: 2, pollSeconds: 0.2, settleSeconds: 0, attached: true,
    async submit(jobs, record) {
      for (const job of jobs) {
        const log = openSync(job.log, 'a');
        const child = spawn('sh', ['-c', 'exec "$@"', 'sh', ...job.command], { cwd: job.folder, stdio: ['ignore', log, log], detached: true });
        record(job, String(child.pid));
      }
      return { taken: jobs.length };
    },
    look: async (handles) => handles.map((handle) => ({ state: alive(Number(handle)) ? 'running' : 'gone' }) as const),
    async cancel(handles) { for (const handle of handles) if (alive(Number(handle))) process.kill(Number(handle), 'SIGTERM'); },
  }),
});
`;

describe('where jobs run', () => {
  it('may be a plugin', () => {
    const { folder, file } = project({ search: grid, launcher: 'shell', plugins: ['./shell.ts'] });
    writeFileSync(join(folder, 'shell.ts'), ownLauncher);
    mkdirSync(join(folder, 'node_modules'));
    spawnSync('ln', [
      '-s',
      fileURLToPath(new URL('../../../../node_modules/@bulwark', import.meta.url)),
      join(folder, 'node_modules/'),
    ]);
    const { stdout, stderr, status } = sweep(folder, file, '--out', join(folder, 'out'));
    expect(stderr).toBe('');
    expect(stdout).toContain('4 points, 1 seed; in a shell');
    expect(status).toBe(0);
  });
});

describe('a sweep file', () => {
  it.each([
    ['an unknown key', { search: grid, serach: 1 }, /serach is not an option here/],
    ['an unknown search', { search: { use: 'bayes' } }, /search/],
    [
      'a range that is upside down',
      { search: { use: 'random', samples: 2, over: { 'objective.beta': { from: 2, to: 1 } } } },
      /from must be less than to/,
    ],
    [
      'a logarithmic range from 0',
      { search: { use: 'random', samples: 2, over: { 'objective.beta': { from: 0, to: 1, scale: 'log' } } } },
      /begins above 0/,
    ],
    [
      'a point that is no config',
      { search: { use: 'grid', over: { 'objective.gamma': [1] } } },
      /point gamma-1: objective\.gamma is not an option here; known: beta/,
    ],
    [
      'points that compute the same',
      { search: { use: 'list', points: [{ 'objective.beta': 6 }, { 'objective.beta': '12/2' }] } },
      /compute the same/,
    ],
    ['a seed among the paths', { search: { use: 'grid', over: { seed: [1, 2] } } }, /seed is not for points/],
    [
      'a metric that validation does not measure',
      {
        search: {
          use: 'halving',
          samples: 2,
          epochs: { from: 1, to: 2 },
          over: { 'objective.beta': [1, 6] },
          metric: 'pgd-20',
        },
      },
      /search\.metric is pgd-20; validation of beta-\d measures clean, fgsm/,
    ],
    [
      'a launcher that is not there',
      { search: grid, launcher: 'slrum' },
      /no launcher is called "slrum"; known: local, slurm/,
    ],
    [
      'an option that the launcher does not have',
      { search: grid, launcher: { use: 'slurm', partion: 'x' } },
      /launcher\.partion is not an option here/,
    ],
  ])('with %s is refused before anything runs', async (_name, given, message) => {
    const { folder, file } = project(given);
    const registry = builtinRegistry();
    const begin = async () => {
      const read = await loadSweep(file);
      const fallback = { spec: read.launcher, baseFolder: folder };
      await chooseLauncher({}, { registry, fallback, warn: () => undefined });
      return planSweep(read, { folder, registry });
    };
    await expect(begin()).rejects.toThrow(message);
  });

  it('of other files by the same names does not mix with what is there', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    const sweepIn = (name: string, data: object) => {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, 'tiny.json'), JSON.stringify({ data }));
      writeFileSync(join(folder, name, 'images.npz'), name);
      writeFileSync(join(folder, name, 'sweep.json'), JSON.stringify({ config: 'tiny.json', search: { use: 'list', points: [{ seed: 1 }] } })); // prettier-ignore
      return loadSweep(join(folder, name, 'sweep.json'));
    };
    const npz = { use: 'npz', file: 'images.npz' };
    beginSweep(out, await sweepIn('a', npz));
    beginSweep(out, await sweepIn('a', npz));
    const other = await sweepIn('b', npz);
    expect(() => beginSweep(out, other)).toThrow(
      /holds a sweep with images\.npz of .*\/a, and this one has that of .*\/b/,
    );
    // names of data sets are no files
    const named = { use: 'fashion-mnist-mini' };
    beginSweep(join(folder, 'named'), await sweepIn('a', named));
    const same = await sweepIn('b', named);
    expect(() => beginSweep(join(folder, 'named'), same)).not.toThrow();
  });

  it('that has changed does not mix with what is there', () => {
    const list = (beta: number) => ({ search: { use: 'list', points: [{ 'objective.beta': beta }] } });
    const { folder, file } = project(list(1));
    const out = join(folder, 'out');
    expect(sweep(folder, file, '--out', out).status).toBe(0);
    writeFileSync(file, JSON.stringify({ config: 'tiny.json', ...list(2) }));
    const { stderr, status } = sweep(folder, file, '--out', out);
    expect(status).toBe(1);
    expect(stderr).toContain('holds another sweep');
    expect(sweep(folder, 'status', folder).stderr).toContain('is not the folder of a sweep');
  });
});
