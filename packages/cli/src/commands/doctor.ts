import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { BulwarkError, type Engine, type EngineDiagnosis } from '@bulwark/core';
import { measuredOrder } from '@bulwark/core/engine';
import { enginesOf } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { inChild } from '../bench/child.js';
import { digits } from '../bench/report.js';
import { pluginsOption, registryWith } from '../engines/given.js';
import { createOutput, paint } from '../terminal/output.js';
import { table } from '../terminal/table.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

interface Flags {
  readonly seconds: string;
  readonly plugins?: string;
  readonly json?: boolean;
}

/** NVIDIA's GPUs with their drivers, if its tool is there; an engine may or may not be able to use them. */
function nvidiaGpus(): string[] {
  const { stdout, status } = spawnSync('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader'], {
    encoding: 'utf8',
    timeout: 5000,
  });
  return status === 0 ? stdout.trim().split('\n').filter(Boolean) : [];
}

function machine() {
  return {
    bulwark: version,
    node: process.version,
    tensorflowJs: tf.version_core,
    platform: `${platform()} ${release()} ${process.arch}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    nvidiaGpus: nvidiaGpus(),
  };
}

/** An engine with what was found out about it. */
interface Examined {
  readonly engine: Engine;
  readonly found: EngineDiagnosis;
}

async function examine(engine: Engine, { seconds, plugins }: { seconds: number; plugins?: string }): Promise<Examined> {
  const { name } = engine;
  const given = { engine: { label: name, request: { use: name } }, plugins, settings: { seconds } };
  const found = await inChild<EngineDiagnosis>('diagnose', given).catch(
    ({ message, hint }: BulwarkError): EngineDiagnosis => ({ engine: name, works: false, reason: message, hint }),
  );
  return { engine, found };
}

/**
 * What `engine: auto` takes of those that work, are right, and compute where they say: the first if that is a GPU's, else the fastest by its
 * own measurement, else, where it has made none yet, by that of convolutions here.
 */
async function best(examined: readonly Examined[]): Promise<Engine | undefined> {
  const good = examined.flatMap(({ engine, found }) =>
    engine.rank !== undefined && found.works && !found.wrong && !found.software ? [{ engine, found }] : [],
  );
  if (good[0]?.found.hostMemory === false) return good[0].engine;
  const measured = await measuredOrder(examined.map(({ engine }) => engine));
  const speed = ({ found }: (typeof good)[number]) => found.speed.convolutionGflops;
  const bySpeed = [...good].sort((a, b) => speed(b) - speed(a)).map(({ engine }) => engine);
  return measured?.flatMap((name) => bySpeed.filter((engine) => engine.name === name))[0] ?? bySpeed[0];
}

/** Commands that get engines which `auto` would prefer to what it takes. */
const installs = (examined: readonly Examined[], taken: Engine | undefined): string[] =>
  examined
    .filter(({ engine, found }) => engine.installer && !found.works && (engine.rank ?? 0) > (taken?.rank ?? 0))
    .map(({ engine }) => `bulwark engine install ${engine.name}`);

const numbers = ({ wrong, unchecked }: { wrong?: string; unchecked?: boolean }): string =>
  unchecked ? 'not compared' : wrong ? 'WRONG' : 'right';

const row = (one: EngineDiagnosis): string[] =>
  one.works
    ? [
        one.engine,
        one.device,
        one.threads === undefined ? '-' : String(one.threads),
        numbers(one),
        digits(one.speed.matmulGflops),
        digits(one.speed.convolutionGflops),
      ]
    : [one.engine, paint('yellow', 'not available'), '-', '-', '-', '-'];

/** Reasons, remarks and wrong numbers, one line each, under the table. */
const notes = (one: EngineDiagnosis): string[] => {
  if (!one.works) return [one.reason, ...(one.hint ? [`  ${one.hint}`] : [])];
  const wrong = one.wrong ? [`${one.engine}: computes wrong numbers: ${one.wrong}; do not train with it`] : [];
  return [`${one.engine}: ${one.description}`, ...wrong, ...one.remarks.map((remark) => `${one.engine}: ${remark}`)];
};

async function doctor(flags: Flags): Promise<void> {
  const output = createOutput(flags);
  const seconds = Number(flags.seconds);
  if (!(seconds >= 0))
    throw new BulwarkError('USAGE', `--seconds is ${JSON.stringify(flags.seconds)}; a number of seconds is wanted`);
  const about = machine();
  output.line(`Bulwark ${about.bulwark}, Node ${about.node}, TensorFlow.js ${about.tensorflowJs}, ${about.platform}`);
  output.line(`${about.processor}, ${about.cores} cores, ${about.memoryGB} GB`);
  for (const gpu of about.nvidiaGpus) output.line(`GPU ${gpu}`);
  const examined: Examined[] = [];
  for (const engine of enginesOf(await registryWith(flags.plugins)))
    examined.push(await examine(engine, { seconds, plugins: flags.plugins }));
  const engines = examined.map(({ found }) => found);
  const auto = await best(examined);
  const head = ['engine', 'device', 'threads', 'numbers', 'matmul GFLOP/s', 'convolution GFLOP/s'];
  output.line(`\n${table(head, engines.map(row))}\n`);
  for (const note of engines.flatMap(notes)) output.line(note);
  output.line(auto ? `\nengine: auto takes ${auto.name}` : '\nno engine works');
  const faster = installs(examined, auto);
  if (faster.length > 0) output.line(`perhaps faster: ${faster.join(', ')}`);
  output.result({ ...about, engines, auto: auto?.name ?? null });
  if (!auto || engines.some((one) => one.works && one.wrong)) process.exitCode = 1;
}

/** `bulwark doctor`: which engines work here, why the others do not, whether they compute rightly, and how fast. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('say which engines work on this machine, why the others do not, and how fast they are')
    .option('--seconds <n>', 'seconds to measure each engine', '5')
    .option(...pluginsOption)
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  bulwark doctor --json')
    .action((flags: Flags) => doctor(flags));
}
