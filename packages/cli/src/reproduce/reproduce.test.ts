import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { estimate } from '../compare/student-t.js';
import { builtinRegistry } from '../registry.js';
import { runNode } from '../testing.js';
import { temporaryFolder } from '../train/testing.js';
import { pairRows, welch, type CollectedRow } from './collect.js';
import { jobsOf, planRows, sameRuns } from './plan.js';
import { gradientsOf } from './price.js';
import { markdown } from './render.js';
import { evaluationParts } from './run-job.js';
import { loadTable } from './table-file.js';

const recipes = fileURLToPath(new URL('../../../../examples/recipes', import.meta.url));
const tables = readdirSync(recipes)
  .filter((name) => name.endsWith('.yaml') && name !== 'scales.yaml')
  .map((name) => name.replace('.yaml', ''));
const plan = (scale: string) => ({ scale, seeds: [1], out: '/tmp/none', registry: builtinRegistry() });

describe('the tables', () => {
  it.each(tables)('%s composes at every scale', async (name) => {
    const table = await loadTable(name);
    expect(table.rows.length).toBeGreaterThan(3);
    for (const scale of Object.keys(table.scales)) {
      const rows = await planRows(table, plan(scale));
      expect(rows.length).toBeGreaterThanOrEqual(table.rows.length);
    }
  });

  it('train at full scale what the paper says', async () => {
    const rows = await planRows(await loadTable('table1'), plan('full'));
    const found = (id: string) => rows.find((row) => row.id === id)!.config;
    expect(found('svhn/st')).toMatchObject({
      data: { use: 'svhn', augment: [], selectOn: 'test' },
      model: { use: 'resnet18' },
      objective: { use: 'st', beta: 8, inner: { steps: 10, stepSize: 1 / 255 } },
      optimizer: { learningRate: 0.01, weightDecay: 5e-4, schedule: { milestones: [50, 65] } },
      epochs: 80,
    });
    expect(found('cifar100/st-awp')).toMatchObject({
      data: { use: 'cifar100', augment: [{ use: 'random-crop', padding: 4 }, { use: 'horizontal-flip' }] },
      objective: { use: 'st', beta: 4, discrepancy: 'symmetric-kl', inner: { stepSize: 2 / 255 } },
      weightPerturber: { use: 'awp', gamma: 0.005 },
      optimizer: { learningRate: 0.1, schedule: { milestones: [80, 100], factor: 0.1 } },
      epochs: 120,
    });
    const [rst] = await planRows(await loadTable('table4'), { ...plan('full'), rows: ['wrn-28-10-rst/st-rst'] });
    expect(rst!.config).toMatchObject({
      data: { use: 'rst', batchSize: 256, unlabelledFraction: 0.5, epochSize: 50000 },
      model: { use: 'wrn-28-10' },
      threat: { epsilon: 0.031 },
      objective: { use: 'st-rst', inner: { stepSize: 0.007, start: 'unclipped-uniform' } },
      optimizer: { nesterov: true, schedule: { use: 'cosine' } },
      epochs: 200,
    });
  });

  it('share runs where they compute the same', async () => {
    const small = await planRows(await loadTable('fmnist-small'), plan('mini'));
    const name = (id: string) => small.find((row) => row.id === id)!.name;
    const first = await planRows(await loadTable('table1'), plan('mini'));
    const one = (id: string) => first.find((row) => row.id === id)!.name;
    expect(one('cifar10/trades')).toBe(name('fmnist-small/trades'));
    expect(one('cifar10/st-awp')).toBe(name('fmnist-small/st-awp'));
    expect(one('cifar100/at')).toBe(name('fmnist-small/at'));
    expect(one('svhn/st')).not.toBe(name('fmnist-small/st')); // beta 8
    const fourth = await planRows(await loadTable('table4'), plan('mini'));
    expect(fourth[0]!.name).toBe(name('fmnist-small/rst'));
    expect(jobsOf(first, { ...plan('mini'), seeds: [1, 2] })).toHaveLength(2 * new Set(first.map((r) => r.name)).size);
  });

  it('of generated images are four computations at every scale', async () => {
    const table = await loadTable('generated');
    for (const scale of ['full', 'mini', 'tiny']) {
      const rows = await planRows(table, plan(scale));
      expect(new Set(rows.map(({ name }) => name)).size).toBe(4);
      expect(sameRuns(rows.map(({ id, name: run }) => ({ id, run })))).toEqual([]);
    }
  });

  it('say which rows are one computation', async () => {
    const rows = await planRows(await loadTable('table1'), plan('mini'));
    const [text] = sameRuns(rows.map(({ id, name: run }) => ({ id, run })));
    expect(text).toMatch(/one set of runs: .*cifar10\/at = cifar100\/at/);
  });

  it('name an unknown table, row or scale', async () => {
    await expect(loadTable('table9')).rejects.toThrow('there is no table "table9"');
    const table = await loadTable('table6');
    await expect(planRows(table, { ...plan('mini'), rows: ['x'] })).rejects.toThrow('table6 has no row "x"');
    await expect(planRows(table, plan('huge'))).rejects.toThrow('no scale "huge"');
  });
});

describe('the difference of two means', () => {
  it('has the interval of Welch', () => {
    // scipy.stats.ttest_ind_from_stats and t.ppf: means 10 and 9, sd 1 and 2, n 3 and 5 give df 5.88, rounded down to 5
    const ours = estimate([9, 10, 11]);
    const { mean, halfWidth } = welch(ours, { mean: 9, sd: 2, n: 5 });
    expect(mean).toBeCloseTo(1, 12);
    expect(halfWidth).toBeCloseTo(2.570582 * Math.sqrt(1 / 3 + 4 / 5), 5);
  });
  it('is the same from a published half-width', () => {
    const ours = estimate([9, 10, 11]);
    const bySd = welch(ours, { mean: 9, sd: 2, n: 5 }).halfWidth!;
    const byWidth = welch(ours, { mean: 9, halfWidth: (2.776445 * 2) / Math.sqrt(5), n: 5 }).halfWidth!;
    expect(byWidth).toBeCloseTo(bySd, 5);
  });
  it('has no interval where one side tells no spread', () => {
    expect(welch(estimate([9, 10, 11]), 9)).toEqual({ mean: 1 });
    expect(welch(estimate([10]), { mean: 9, sd: 2, n: 5 })).toEqual({ mean: 1 });
  });
});

it('measures columns with the same images and radius in one evaluation', async () => {
  const { columns } = (await loadTable('table1')).scales['mini']!;
  expect(evaluationParts(columns).map(({ images, attacks }) => [images, attacks.length])).toEqual([
    ['all', 2],
    ['first:500', 2],
    ['first:250', 1],
  ]);
  expect(gradientsOf('pgd:steps=40:restarts=5', 10)).toBe(200);
});

it('compares two rows seed by seed', () => {
  const row = (id: string, seeds: number[], values: number[]): CollectedRow => ({
    ...{ id, label: id, run: id, seeds, missing: [] },
    cells: [{ column: 'Clean', ours: estimate(values) }],
  });
  const rows = [row('a', [1, 2, 3], [70, 60, 50]), row('b', [3, 1], [47, 69])];
  const [pair] = pairRows(rows, [['a', 'b']]);
  expect(pair).toMatchObject({ label: 'a − b', seeds: [1, 3], cells: [{ difference: { mean: 2, values: [1, 3] } }] });
  expect(pairRows([row('a', [1], [70]), row('b', [1], [69])], [['a', 'b']])).toEqual([]);
});

it('marks what disagrees', async () => {
  const cell = (difference: object) => ({ column: 'Clean', ours: { mean: 50, halfWidth: 1, values: [] }, difference });
  const row = {
    id: 'a',
    label: 'A',
    run: 'a',
    seeds: [1, 2],
    missing: [3],
    cells: [
      { ...cell({ mean: -3, halfWidth: 2 }), reference: { mean: 53, halfWidth: 1, n: 5 } },
      { ...cell({ mean: 1, halfWidth: 2 }), column: 'FGSM', reference: { mean: 49, halfWidth: 1, n: 5 } },
    ],
  } as CollectedRow;
  const text = markdown(await loadTable('table6'), { scale: 'mini', rows: [row] });
  expect(text).toContain('| A | ours | 2 of 3 | 50.00 ± 1.00 | 50.00 ± 1.00 |');
  expect(text).toContain('−3.00 ± 2.00 ! | +1.00 ± 2.00 |');
  expect(text).toContain('1 of 2 differences exclude zero');
});

describe('bulwark reproduce', () => {
  const bulwark = fileURLToPath(new URL('../../bin/bulwark.js', import.meta.url));
  const run = (...arguments_: string[]) =>
    runNode([bulwark, 'reproduce', ...arguments_], {
      env: { ...process.env, BULWARK_ENGINE: 'wasm' },
      seconds: 300,
    });
  const json = (result: ReturnType<typeof run>) => {
    expect(result.stderr).toBe('');
    return JSON.parse(result.stdout) as { rows: CollectedRow[] };
  };

  it.each([
    ['table1', 'cifar10/st'],
    ['table3', 'wrn-34-5/trades-awp'],
    ['table4', 'wrn-28-10-rst/st-rst'],
    ['table6', 'cifar10/two-mart'],
    ['figure6', 'figure6/trades-js@beta=4'],
  ])('takes a row of %s from config to table', (table, row) => {
    const out = temporaryFolder();
    const flags = [table, '--scale', 'tiny', '--rows', row, '--out', out];
    const { rows } = json(run(...flags, '--json'));
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ id: row, seeds: [1], missing: [] });
    for (const { column, ours } of rows[0]!.cells) {
      expect(Number.isFinite(ours!.mean)).toBe(true);
      if (column !== 'Loss') expect(ours!.mean).toBeLessThanOrEqual(100);
    }
    const again = run(...flags);
    expect(again.stdout).toContain('0 of 1 jobs to do');
  });

  it('does its shard only, and collects what there is', () => {
    const out = temporaryFolder();
    const flags = ['table1', '--scale', 'tiny', '--rows', 'cifar10/at,cifar10/trades', '--out', out];
    const first = json(run(...flags, '--shard', '1/2', '--json'));
    expect(first.rows.map(({ seeds }) => seeds)).toEqual([[1], []]);
    json(run(...flags, '--shard', '2/2', '--json'));
    const whole = json(run(...flags, '--collect', '--json'));
    expect(whole.rows.map(({ missing }) => missing)).toEqual([[], []]);
  });

  it('prices without writing', () => {
    const out = join(temporaryFolder(), 'none');
    const result = run('table6', '--scale', 'tiny', '--rows', 'cifar10/st', '--out', out, '--dry-run', '--json');
    expect(result.stderr).toBe('');
    const { missing, seconds } = JSON.parse(result.stdout) as { missing: string[]; seconds: number };
    expect(missing).toHaveLength(1);
    expect(seconds).toBeGreaterThan(0);
    expect(() => readdirSync(out)).toThrow();
  });

  it('prices rows whose data are not here', () => {
    const folder = temporaryFolder();
    const config = `
      name: row
      data: { use: rst, batchSize: 32, labelled: { use: cifar10 }, unlabelled: { use: npz, train: data/1m.npz } }
      model: { use: small-cnn, width: 4 }
      threat: { epsilon: 8/255 }
      objective: { use: trades, inner: { steps: 2, stepSize: 2/255 } }
      epochs: 400`;
    writeFileSync(join(folder, 'first.yaml'), config);
    writeFileSync(join(folder, 'second.yaml'), config.replace('trades', 'mart'));
    const scales =
      '{ full: { meaning: all, seeds: "1", checkpoint: best, columns: [{ title: Clean, label: clean }] } }';
    const rows = '[{ id: first, label: First }, { id: second, label: Second }]';
    writeFileSync(join(folder, 'table.yaml'), `title: T\nsource: S\nscales: ${scales}\nrows: ${rows}\n`);
    const result = runNode(
      [bulwark, 'reproduce', join(folder, 'table.yaml'), '--scale', 'full', '--dry-run', '--json'],
      { env: { ...process.env, BULWARK_ENGINE: 'wasm', BULWARK_DATA: join(folder, 'none') }, seconds: 300 },
    );
    expect(result.status).toBe(0);
    const priced = JSON.parse(result.stdout) as { priced: number; seconds: number };
    expect(priced.priced).toBe(2);
    expect(priced.seconds).toBeGreaterThan(60); // 400 epochs of 1563 steps
    // once each, though both rows need both
    expect(result.stderr.match(/cifar10: .* has no .*costs are measured on images/g)).toHaveLength(1);
    expect(result.stderr.match(/1m\.npz does not exist: costs are measured/g)).toHaveLength(1);
  });

  it('reports a job that fails, and goes on with the others', () => {
    const out = temporaryFolder();
    const flags = ['table1', '--scale', 'tiny', '--rows', 'cifar10/at,cifar10/trades', '--out', out];
    const planned = JSON.parse(run(...flags, '--dry-run', '--json').stdout) as { jobs: string[] };
    // a folder that holds something else stands where the first run belongs
    const blocked = join(out, planned.jobs[0]!);
    mkdirSync(blocked, { recursive: true });
    writeFileSync(join(blocked, 'config.json'), '{');
    const result = run(...flags);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(/1 jobs failed|config\.json/);
    expect(result.stderr).not.toContain('    at ');
  });
});
