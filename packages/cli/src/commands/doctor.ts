import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { BulwarkError, engineNames, type EngineDiagnosis, type EngineName } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { inChild } from '../bench/child.js';
import { digits } from '../bench/report.js';
import { createOutput, paint } from '../terminal/output.js';
import { table } from '../terminal/table.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

interface Flags {
  readonly seconds: string;
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

const died = (engine: EngineName, { message, cure }: BulwarkError): EngineDiagnosis => ({
  engine,
  works: false,
  reason: message,
  cure,
});

/** What `engine: auto` would take: the first that works, is right, and computes where it says. */
const best = (found: readonly EngineDiagnosis[]): EngineName | undefined =>
  found.find((one) => one.engine !== 'cpu' && one.works && !one.wrong && !one.software)?.engine;

const row = (one: EngineDiagnosis): string[] =>
  one.works
    ? [
        one.engine,
        one.device,
        one.threads === undefined ? '-' : String(one.threads),
        one.wrong ? 'WRONG' : 'right',
        digits(one.speed.matmulGflops),
        digits(one.speed.convolutionGflops),
      ]
    : [one.engine, paint('yellow', 'not available'), '-', '-', '-', '-'];

/** Reasons, remarks and wrong numbers, one line each, under the table. */
const notes = (one: EngineDiagnosis): string[] => {
  if (!one.works) return [one.reason, ...(one.cure ? [`  ${one.cure}`] : [])];
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
  const engines: EngineDiagnosis[] = [];
  for (const engine of engineNames)
    engines.push(
      await inChild<EngineDiagnosis>('diagnose', { engine, settings: { seconds } }).catch((error: BulwarkError) =>
        died(engine, error),
      ),
    );
  const auto = best(engines);
  const head = ['engine', 'device', 'threads', 'numbers', 'matmul GFLOP/s', 'convolution GFLOP/s'];
  output.line(`\n${table(head, engines.map(row))}\n`);
  for (const note of engines.flatMap(notes)) output.line(note);
  output.line(auto ? `\nengine: auto takes ${auto}` : '\nno engine works');
  if (auto && auto !== 'tensorflow') output.line('native TensorFlow is faster: bulwark engine install tensorflow');
  output.result({ ...about, engines, auto: auto ?? null });
  if (!auto || engines.some((one) => one.works && one.wrong)) process.exitCode = 1;
}

/** `bulwark doctor`: which engines work here, why the others do not, whether they compute rightly, and how fast. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('say which engines work on this machine, why the others do not, and how fast they are')
    .option('--seconds <n>', 'seconds to measure each engine', '5')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  bulwark doctor --json')
    .action((flags: Flags) => doctor(flags));
}
