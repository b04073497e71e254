import { join, resolve } from 'node:path';
import { mkdirSync } from 'node:fs';
import { BulwarkError, type PluginRegistry } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { loadPlugins, lockHolder, lockRunFolder } from '@bulwark/core/run';
import { counted } from '@bulwark/core/plugins';
import { Command } from 'commander';
import { importUserModule } from '../config/load.js';
import {
  addLaunchFlags,
  cancelFile,
  checkJobs,
  chooseLauncher,
  retriesOf,
  type ChosenLauncher,
  type LaunchFlags,
} from '../launch/index.js';
import { builtinRegistry } from '../registry.js';
import { inAll } from '../reproduce/price.js';
import { conduct, planSweep, type Conducted, type Standing } from '../sweep/conduct.js';
import { beginSweep, openSweep } from '../sweep/folder.js';
import { cancelJobs, statusOf } from '../sweep/status.js';
import { loadSweep, type Sweep } from '../sweep/sweep-file.js';
import type { SweepTable } from '../sweep/table.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { createOutput, duration, type Output } from '../terminal/output.js';
import { table as textTable } from '../terminal/table.js';

interface Flags extends LaunchFlags {
  readonly set: string[];
  readonly out?: string;
  readonly resume?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
  bulwark sweep sweep.yaml --dry-run
  bulwark sweep sweep.yaml --jobs 2
  bulwark sweep sweep.yaml --launcher slurm:partition=gpu:gpus=1:time=240
  bulwark sweep --resume runs/sweep
  bulwark sweep status runs/sweep
  bulwark sweep cancel runs/sweep
An interrupted sweep goes on when the same command is given again, or with --resume and its folder.`;

const collect = (value: string, previous: string[]) => [...previous, value];

/** The registry with the launchers of the sweep's own plugins. */
async function registryOf({ plugins, folder }: Sweep): Promise<PluginRegistry> {
  const registry = builtinRegistry().child();
  await loadPlugins(plugins, { registry, baseFolder: folder, importModule: importUserModule });
  return registry;
}

/** Opens a sweep from its folder, with the launcher that flags or its file choose. */
async function open(
  sweep: Sweep,
  given: { folder: string; flags: Pick<LaunchFlags, 'launcher' | 'jobs'>; output: Output },
): Promise<{ conducted: Conducted; chosen: ChosenLauncher; registry: PluginRegistry }> {
  const { folder, flags, output } = given;
  const registry = await registryOf(sweep);
  const fallback = { spec: sweep.launcher, baseFolder: sweep.folder };
  const chosen = await chooseLauncher(flags, { registry, fallback, warn: (text) => output.warn(text) });
  return { conducted: await planSweep(sweep, { folder, registry }), chosen, registry };
}

async function sweepOf(file: string | undefined, flags: Flags): Promise<{ sweep: Sweep; folder: string }> {
  if ((file === undefined) === (flags.resume === undefined))
    throw new BulwarkError('USAGE', 'sweep needs a sweep file, or --resume <folder>', {
      hint: 'give one of them; docs/sweeps.md has examples of sweep files',
    });
  if (flags.resume === undefined) {
    const sweep = await loadSweep(file!, flags.set);
    return { sweep, folder: resolve(flags.out ?? join('runs', sweep.name)) };
  }
  if (flags.set.length > 0 || flags.out !== undefined)
    throw new BulwarkError('USAGE', '--resume goes on with a sweep as it is; it takes no --set or --out', {
      hint: 'leave them out, or begin another sweep',
    });
  return { sweep: openSweep(resolve(flags.resume)), folder: resolve(flags.resume) };
}

async function dryRun(conducted: Conducted, registry: PluginRegistry, output: Output): Promise<void> {
  const { pricePoints, runsToPrice } = await import('../sweep/price.js');
  const prices = await pricePoints(conducted, { registry, warn: (text) => output.warn(text) });
  const runs = runsToPrice(conducted, prices);
  const time = (seconds: number | undefined) => (seconds === undefined ? '-' : duration(seconds));
  output.line(
    textTable(
      ['point', 'runs', 'epochs', 'each', 'together'],
      runs.map((one) => [
        one.point,
        one.runs,
        one.epochs,
        time(one.seconds),
        time(one.seconds && one.seconds * one.runs),
      ]),
    ),
  );
  const measured = prices.filter(({ preview }) => preview);
  for (const { point, reason } of prices)
    if (reason !== undefined) output.warn(`${point.name} has no price: ${reason}`);
  if (measured.length > 0)
    output.line(
      `\nfrom measured steps of ${measured.length} of ${conducted.points.length} points, engine ${measured[0]!.preview!.engine}`,
    );
  const missing = runs.reduce((sum, one) => sum + one.runs, 0);
  const priced = runs.filter(({ seconds }) => seconds !== undefined);
  const jobs = priced.reduce((sum, one) => sum + one.runs, 0);
  const total = priced.reduce((sum, one) => sum + one.runs * one.seconds!, 0);
  output.line(`${counted(missing, 'run')}: ${inAll({ missing, jobs, total })}`);
  output.result({ runs, jobs: missing, priced: jobs, ...(jobs > 0 && { seconds: total }) });
}

/** A table is not lost because a picture cannot be drawn. */
async function drawFigures(table: SweepTable, given: { sweep: Sweep; folder: string; output: Output }): Promise<void> {
  const { sweep, folder, output } = given;
  const quiet: Output = { ...output, line: () => undefined, result: () => undefined };
  try {
    const { parallel, tradeOff } = await import('../sweep/figures.js');
    const { writeFigure } = await import('../analyze/write-figure.js');
    const figures = { 'trade-off': tradeOff(table), parallel: parallel(table, sweep.search) };
    const drawn = Object.entries(figures).filter(([, figure]) => figure);
    for (const [name, figure] of drawn) await writeFigure(join(folder, 'figures', name), figure!, quiet);
    if (drawn.length > 0)
      output.line(`figures: ${drawn.map(([name]) => name).join(', ')} in ${join(folder, 'figures')}`);
  } catch (error) {
    output.warn(`figures could not be drawn: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** Table and figures of what is finished. */
async function show({ sweep, folder, points }: Conducted, { runs }: Standing, output: Output): Promise<void> {
  const { sweepTable, tableCells, tableMarkdown, tableRows } = await import('../sweep/table.js');
  const table = await sweepTable(runs, { sweep, points, warn: (text) => output.warn(text) });
  if (!table) return;
  const { toCsv } = await import('../logs/csv.js');
  writeAtomically(join(folder, 'table.md'), tableMarkdown(table));
  writeAtomically(join(folder, 'table.csv'), toCsv(tableRows(table)));
  writeAtomically(join(folder, 'table.json'), `${JSON.stringify(table, null, 2)}\n`);
  const { head, body } = tableCells(table);
  output.line(`\n${textTable(head, body)}`);
  output.line(`\n${table.caption}`);
  if (table.missing.length > 0) output.warn(`points without a finished run: ${table.missing.join(', ')}`);
  output.line(`written to ${folder}: table.md, .csv, .json`);
  await drawFigures(table, { sweep, folder, output });
  output.result(table);
}

async function run(file: string | undefined, flags: Flags): Promise<void> {
  const output = createOutput(flags);
  const { sweep, folder } = await sweepOf(file, flags);
  const { conducted, chosen, registry } = await open(sweep, { folder, flags, output });
  if (flags.dryRun) return dryRun(conducted, registry, output);
  const lock = lockRunFolder(folder);
  const { signal, release } = onInterrupt(output);
  try {
    beginSweep(folder, sweep);
    output.line(
      `sweep ${sweep.name}: ${counted(conducted.points.length, 'point')}, ${counted(sweep.seeds.length, 'seed')}; ${chosen.launcher.description}`,
    );
    const launch = { ...chosen, root: folder, output, signal, retries: retriesOf(flags), wait: flags.wait };
    const standing = await conduct(conducted, launch);
    if (!signal.aborted) await show(conducted, standing, output);
    checkJobs(standing, launch);
    if (standing.pending.length > 0)
      output.line(`look with: bulwark sweep status ${folder}; go on with: bulwark sweep --resume ${folder}`);
  } finally {
    release();
    lock.release();
  }
}

const statusCommand = () =>
  new Command('status')
    .description('how the jobs of a sweep stand')
    .argument('<folder>', 'folder of the sweep')
    .option('--json', 'print as JSON and nothing else')
    .action(async (path: string, _flags: object, command: Command) => {
      const output = createOutput(command.optsWithGlobals()); // `sweep` itself takes --json

      const folder = resolve(path);
      const { conducted, chosen } = await open(openSweep(folder), { folder, flags: {}, output });
      const jobs = await statusOf(conducted, chosen.open);
      output.line(
        textTable(
          ['job', 'state', ''],
          jobs.map(({ id, state, note }) => [id, state, note]),
          { wrapLast: true },
        ),
      );
      const states = [...new Set(jobs.map(({ state }) => state))];
      const counts = states.map((state) => `${jobs.filter((job) => job.state === state).length} ${state}`);
      output.line(`\n${counts.join(', ')}; logs are in ${join(folder, 'jobs')}`);
      output.result({ folder, jobs });
    });

const cancelCommand = () =>
  new Command('cancel')
    .description('take the jobs of a sweep away; they save what they have')
    .argument('<folder>', 'folder of the sweep')
    .action(async (path: string) => {
      const output = createOutput({});
      const folder = resolve(path);
      const { conducted, chosen } = await open(openSweep(folder), { folder, flags: {}, output });
      mkdirSync(join(folder, 'jobs'), { recursive: true });
      writeAtomically(cancelFile(folder), '');
      const holder = lockHolder(folder);
      // who has handed the jobs over takes them away: a job that is asked twice stops without saving
      if (holder) output.line(`process ${holder.pid} on ${holder.host} takes its jobs away and stops`);
      else output.line(`${counted(await cancelJobs(conducted, chosen.open), 'job was', 'jobs were')} asked to stop`);
      output.line(`go on with: bulwark sweep --resume ${folder}`);
    });

/** `bulwark sweep <file>`, `bulwark sweep status <folder>`, `bulwark sweep cancel <folder>`. */
export function sweepCommand(): Command {
  const command = new Command('sweep')
    .description('train many settings of a config: a grid, a list, draws, or successive halving')
    .argument('[file]', 'sweep file: YAML, JSON, TypeScript or JavaScript')
    .option('--set <path=value>', 'override one config value of all runs; may be repeated', collect, [])
    .option('--out <folder>', 'folder of the sweep (default: runs/<name>)')
    .option('--resume <folder>', 'go on with a sweep where it stopped')
    .option('--dry-run', 'measure a few steps, say what the whole will cost, write nothing')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', examples);
  addLaunchFlags(command).action(run);
  for (const make of [statusCommand, cancelCommand]) command.addCommand(make().exitOverride());
  return command;
}
