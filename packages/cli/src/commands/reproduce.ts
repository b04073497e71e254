import { join, resolve } from 'node:path';
import { shardPositions } from '@bulwark/core/evaluation';
import { writeAtomically } from '@bulwark/core/files';
import { Command } from 'commander';
import { importUserModule } from '../config/load.js';
import { addLaunchFlags, checkJobs, chooseLauncher, retriesOf, runJobs, type LaunchFlags } from '../launch/index.js';
import { builtinRegistry } from '../registry.js';
import { collectRow, pairRows, type CollectedRow } from '../reproduce/collect.js';
import {
  jobsOf,
  planRows,
  sameRuns,
  shortPath,
  type PlannedJob,
  type PlannedRow,
  type PlanOptions,
} from '../reproduce/plan.js';
import { missingParts, preparation } from '../reproduce/prepare.js';
import { inAll, priceRow } from '../reproduce/price.js';
import { captions, markdown, pairLines, tableLines } from '../reproduce/render.js';
import { isFinished, jobOf } from '../reproduce/run-job.js';
import { loadTable, scaleOf, type Scale, type Table } from '../reproduce/table-file.js';
import { addFlagRules } from '../terminal/flag-rules.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { createOutput, duration, type Output } from '../terminal/output.js';
import { parseShard } from '../terminal/shard.js';
import { table as textTable } from '../terminal/table.js';
import { parseSeeds } from '../train/seeds.js';

interface Flags extends LaunchFlags {
  readonly scale: string;
  readonly rows?: string;
  readonly seeds?: string;
  readonly shard?: string;
  readonly out: string;
  readonly dryRun?: boolean;
  readonly collect?: boolean;
  readonly markdown?: string;
  readonly json?: boolean;
}

interface Reproduction {
  readonly table: Table;
  readonly scale: Scale;
  readonly options: PlanOptions;
  readonly rows: readonly PlannedRow[];
  /** Those of this shard. */
  readonly jobs: readonly PlannedJob[];
  readonly output: Output;
}

async function planned(tableName: string, flags: Flags, output: Output): Promise<Reproduction> {
  const table = await loadTable(tableName);
  const scale = scaleOf(table, flags.scale);
  const options: PlanOptions = {
    scale: flags.scale,
    ...(flags.rows !== undefined && { rows: flags.rows.split(',').map((name) => name.trim()) }),
    seeds: parseSeeds(flags.seeds ?? scale.seeds),
    out: resolve(flags.out),
    registry: builtinRegistry(),
  };
  const rows = await planRows(table, options);
  const all = jobsOf(rows, options);
  const jobs =
    flags.shard === undefined ? all : shardPositions(all.length, parseShard(flags.shard)).map((i) => all[i]!);
  return { table, scale, options, rows, jobs, output };
}

async function unfinished({ jobs, scale }: Reproduction): Promise<PlannedJob[]> {
  const states = await Promise.all(jobs.map(async (job) => ({ job, done: await isFinished(job, scale) })));
  return states.filter(({ done }) => !done).map(({ job }) => job);
}

/** What training and evaluating the missing jobs would take, one after the other. */
async function dryRun(work: Reproduction): Promise<void> {
  const { output, options, scale, table } = work;
  const todo = await unfinished(work);
  const said = new Set<string>();
  const services = {
    registry: options.registry,
    importModule: importUserModule,
    // rows have data in common
    warn: (text: string) => void (said.has(text) || (said.add(text), output.warn(text))),
    baseFolder: join(options.out, options.scale),
  };
  const prices = [];
  for (const row of new Map(work.jobs.map((job) => [job.planned.name, job.planned])).values()) {
    const runs = todo.filter((job) => job.planned.name === row.name).length;
    output.line(`measuring ${row.id}`);
    prices.push({ runs, ...(await priceRow(row, { scale, services })) });
  }
  const priced = prices.filter(({ secondsToTrain }) => secondsToTrain !== undefined);
  const jobs = priced.reduce((sum, { runs }) => sum + runs, 0);
  const total = priced.reduce((sum, p) => sum + p.runs * (p.secondsToTrain! + p.secondsToEvaluate!), 0);
  const time = (seconds: number | undefined) => (seconds === undefined ? '-' : duration(seconds));
  output.line(
    textTable(
      ['row', 'run', 'missing', 'train', 'evaluate, at most'],
      prices.map((p) => [p.row.id, p.row.name, p.runs, time(p.secondsToTrain), time(p.secondsToEvaluate)]),
    ),
  );
  for (const { row, reason } of prices) if (reason !== undefined) output.warn(`${row.id} has no price: ${reason}`);
  for (const text of sameRuns(work.rows.map(({ id, name: run }) => ({ id, run })))) output.line(text);
  for (const name of missingParts(table, work.rows, options)) output.line(`${name} will be made first`);
  output.line(
    `\n${todo.length} of ${work.jobs.length} jobs are missing: ${inAll({ missing: todo.length, jobs, total })}`,
  );
  output.result({
    jobs: work.jobs.map(({ id }) => id),
    missing: todo.map(({ id }) => id),
    priced: jobs,
    ...((jobs > 0 || todo.length === 0) && { seconds: total }),
  });
}

/** Does what is missing. @returns whether all of it is done @throws BulwarkError INTERRUPTED or JOBS_FAILED */
async function work(given: Reproduction, flags: Flags): Promise<boolean> {
  const { output, options, scale, table, jobs, rows } = given;
  const waiting = await unfinished(given);
  output.line(`${table.title}, scale ${options.scale}: ${waiting.length} of ${jobs.length} jobs to do`);
  if (waiting.length === 0) return true;
  const warn = (text: string) => output.warn(text);
  const chosen = await chooseLauncher(flags, { registry: options.registry, warn });
  const { signal, release } = onInterrupt(output);
  const launch = { ...chosen, root: options.out, output, signal, retries: retriesOf(flags) };
  try {
    const parts = missingParts(table, rows, options);
    const preparations = await Promise.all(parts.map((name) => preparation(table, name, options)));
    checkJobs(await runJobs(preparations, launch), launch);
    const result = await runJobs(
      waiting.map((job) => jobOf(job, scale)),
      { ...launch, wait: flags.wait },
    );
    checkJobs(result, launch);
    return result.pending.length === 0;
  } finally {
    release();
  }
}

/** The table of what is finished, of this shard and of all others whose folders are here. */
async function show({ table, scale, options, rows, output }: Reproduction, file: string | undefined): Promise<void> {
  const collected: CollectedRow[] = [];
  for (const row of rows) {
    const folderOf = (seed: number) => join(options.out, options.scale, row.name, `seed-${seed}`);
    collected.push(await collectRow(row, { scaleName: options.scale, scale, seeds: options.seeds, folderOf }));
  }
  const view = { scale: options.scale, rows: collected };
  const { head, body } = tableLines(collected);
  output.line(`\n${table.title}\n`);
  output.line(textTable(head, body));
  output.line();
  for (const text of captions(table, view)) output.line(text);
  const pairs = pairRows(collected, table.pairs);
  if (pairs.length > 0) {
    const lines = pairLines(pairs);
    output.line(`\n${textTable(lines.head, lines.body)}`);
  }
  if (file !== undefined) {
    writeAtomically(file, markdown(table, view));
    output.line(`\nwritten to ${file}`);
  }
  output.line(`runs are in ${shortPath(join(options.out, options.scale))}`);
  output.result({ table: table.name, scale: options.scale, rows: collected, pairs });
}

const examples = `
Examples:
  bulwark reproduce fmnist-small --dry-run
  bulwark reproduce fmnist-small --jobs 2
  bulwark reproduce table1 --scale full --launcher slurm:partition=gpu:gpus=1:time=1440 --no-wait
  bulwark reproduce table1 --scale mini --rows cifar10/trades,cifar10/st --seeds 1..3
  bulwark reproduce table1 --scale full --shard 3/8
  bulwark reproduce table1 --scale full --collect --markdown table1.md
An interrupted reproduction goes on when the same command is given again. To spread one over machines, give each a --shard, bring
the folders together under one --out, and print the table there with --collect.`;

/** `bulwark reproduce <table>`. */
export function reproduceCommand(): Command {
  const command = new Command('reproduce')
    .description('train and evaluate the rows of a published table, and print ours beside theirs')
    .argument('<table>', 'name of a table that comes along (table1, fmnist-small, ...), or path of a table file')
    .option('--scale <name>', 'full: as published; mini: the same rows on Fashion-MNIST with small-cnn', 'mini')
    .option('--rows <ids>', 'some of the rows, separated by commas')
    .option('--seeds <list>', 'seeds instead of those of the scale: 1..7 or 1,2,5')
    .option('--shard <i/n>', 'do only the i-th of n parts of the jobs')
    .option('--out <folder>', 'folder of all reproductions', 'runs/reproduce')
    .option('--dry-run', 'say what is missing and what it will cost, write nothing')
    .option('--collect', 'only print the table of what is finished')
    .option('--markdown <file>', 'also write the table as Markdown')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', examples);
  addFlagRules(command, { flags: ['collect'], excludes: ['dry-run'] }, { flags: ['markdown'], excludes: ['dry-run'] });
  return addLaunchFlags(command).action(async (name: string, flags: Flags) => {
    const output = createOutput(flags);
    const given = await planned(name, flags, output);
    if (flags.dryRun) return dryRun(given);
    if (!flags.collect && !(await work(given, flags)))
      return output.line('the same command looks how far they are; --collect prints what is finished');
    await show(given, flags.markdown);
  });
}
