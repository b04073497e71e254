import { availableParallelism, cpus, platform, totalmem } from 'node:os';
import { BulwarkError, engineNames, type EngineDiagnosis, type EngineName } from '@bulwark/core';
import { Command, Option } from 'commander';
import type { EngineBench } from '../bench/bench-engine.js';
import { inChild } from '../bench/child.js';
import { benchReport } from '../bench/report.js';
import {
  benchModels,
  benchParts,
  fullSettings,
  quickSettings,
  type BenchModel,
  type BenchPart,
  type BenchSettings,
} from '../bench/settings.js';
import { numberFlag } from '../terminal/number-flag.js';
import { createOutput, duration, type Output } from '../terminal/output.js';

interface Flags {
  readonly engine?: string;
  readonly parts?: string;
  readonly models?: string;
  readonly images?: string;
  readonly share?: string;
  readonly quick?: boolean;
  readonly json?: boolean;
}

/** Names of a comma-separated list. @throws BulwarkError USAGE for one that is not known */
function listed<Name extends string>(flag: string, given: string | undefined, known: readonly Name[]): readonly Name[] {
  if (given === undefined) return known;
  const names = given.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(known as readonly string[]).includes(name));
  if (unknown === undefined) return known.filter((name) => names.includes(name));
  throw new BulwarkError('USAGE', `${flag} has ${JSON.stringify(unknown)}; known: ${known.join(', ')}`, {
    cure: 'name some of these, with commas between them',
  });
}

/** The engines that people train with on this machine: all that work but `cpu` and GPUs that are none. */
async function usableEngines(output: Output): Promise<EngineName[]> {
  const usable: EngineName[] = [];
  for (const engine of ['tensorflow', 'webgpu', 'wasm'] as const) {
    const found = await inChild<EngineDiagnosis>('diagnose', { engine, settings: { seconds: 0 } }).catch(
      ({ message }: BulwarkError) => ({ works: false as const, reason: message }),
    );
    if (!found.works) output.line(`${engine} is left out: ${found.reason}`);
    else if (found.software) output.line(`${engine} is left out: its adapter computes on the CPU (--engine webgpu)`);
    else usable.push(engine);
  }
  return usable;
}

async function bench(flags: Flags): Promise<void> {
  const output = createOutput(flags);
  const began = Date.now();
  const own = flags.quick ? quickSettings : fullSettings;
  const settings: BenchSettings = {
    ...own,
    attacks: {
      images:
        flags.images === undefined
          ? own.attacks.images
          : numberFlag('images', flags.images, { min: 1, max: 1000, integer: true }),
      // a hundredth is one iteration
      share: flags.share === undefined ? own.attacks.share : numberFlag('share', flags.share, { min: 0.01, max: 1 }),
    },
    parts: listed<BenchPart>('--parts', flags.parts, benchParts),
    models: listed<BenchModel>('--models', flags.models, benchModels),
  };
  const engines =
    flags.engine === undefined ? await usableEngines(output) : listed('--engine', flags.engine, engineNames);
  const results: EngineBench[] = [];
  for (const engine of engines) {
    const progress = (part: string): void => void (output.json || process.stderr.write(`${engine}: ${part}\n`));
    const result = await inChild<EngineBench>('bench', { engine, settings, progress });
    output.line(`${engine} took ${duration(result.seconds)}`);
    results.push(result);
  }
  const machine = {
    node: process.version,
    platform: `${platform()} ${process.arch}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
  };
  output.line(
    `\n${machine.processor}, ${machine.cores} cores, ${machine.memoryGB} GB, Node ${machine.node}, ${machine.platform}\n`,
  );
  output.line(benchReport(results));
  output.line(`\nmedians, with the fastest and the slowest run; done in ${duration((Date.now() - began) / 1000)}`);
  output.result({ machine, settings, engines: results });
}

/** `bulwark bench`: what training and attacking cost on this machine, per engine. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure training steps, gradients, attacks and the data pipeline on this machine')
    .addOption(new Option('--engine <names>', `comma-separated: ${engineNames.join(', ')} (default: those that work)`))
    .option('--parts <names>', `comma-separated part of: ${benchParts.join(', ')}`)
    .option('--models <names>', `comma-separated part of: ${benchModels.join(', ')}`)
    .option('--images <n>', 'images that are attacked (default: 250)')
    .option('--share <part>', "share of each attack's iterations, for engines that are very slow (default: 1)")
    .option('--quick', 'smaller batches and fewer runs: two minutes instead of half an hour')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExamples:\n  bulwark bench --quick\n  bulwark bench --engine wasm --parts training --json')
    .action((flags: Flags) => bench(flags));
}
