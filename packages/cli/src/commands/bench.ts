import { availableParallelism, cpus, platform, totalmem } from 'node:os';
import { BulwarkError, type EngineDiagnosis, type PluginRegistry } from '@bulwark/core';
import { byRank } from '@bulwark/core/engine';
import { enginesOf } from '@bulwark/core/plugins';
import { Command } from 'commander';
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
import { parseEngines, pluginsOption, registryWith, type GivenEngine } from '../engines/given.js';
import { addFlagRules } from '../terminal/flag-rules.js';
import { numberFlag } from '../terminal/number-flag.js';
import { createOutput, duration, type Output } from '../terminal/output.js';

interface Flags {
  readonly engine?: string;
  readonly plugins?: string;
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
    hint: 'name some of these, with commas between them',
  });
}

/** The engines that people train with on this machine: all that `auto` might take, and that work. */
async function usableEngines(
  registry: PluginRegistry,
  { output, plugins }: { output: Output; plugins?: string },
): Promise<GivenEngine[]> {
  const usable: GivenEngine[] = [];
  for (const { name } of byRank(enginesOf(registry))) {
    const engine = { label: name, request: { use: name } };
    const found = await inChild<EngineDiagnosis>('diagnose', { engine, plugins, settings: { seconds: 0 } }).catch(
      ({ message }: BulwarkError) => ({ works: false as const, reason: message }),
    );
    if (!found.works) output.line(`${name} is left out: ${found.reason}`);
    else if (found.software) output.line(`${name} is left out: its adapter computes on the CPU (--engine ${name})`);
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
  const { plugins } = flags;
  const registry = await registryWith(plugins);
  const engines =
    flags.engine === undefined
      ? await usableEngines(registry, { output, plugins })
      : parseEngines(flags.engine, registry);
  const results: EngineBench[] = [];
  for (const engine of engines) {
    const { label } = engine;
    const progress = (part: string): void => void (output.json || process.stderr.write(`${label}: ${part}\n`));
    const result = await inChild<EngineBench>('bench', { engine, plugins, settings, progress });
    output.line(`${label} took ${duration(result.seconds)}`);
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
  const command = new Command('bench');
  const attacksLeftOut = (parts: unknown) => typeof parts === 'string' && !parts.includes('attacks');
  addFlagRules(command, {
    flags: ['images', 'share'],
    idle: ({ parts }) => (attacksLeftOut(parts) ? `--parts ${String(parts)} leaves out the attacks` : undefined),
  });
  return command
    .description('measure training steps, gradients, attacks and the data pipeline on this machine')
    .option('--engine <names>', 'comma-separated, options after colons: wasm:threads=1,wasm (default: those that work)')
    .option(...pluginsOption)
    .option('--parts <names>', `comma-separated part of: ${benchParts.join(', ')}`)
    .option('--models <names>', `comma-separated part of: ${benchModels.join(', ')}`)
    .option('--images <n>', 'images that are attacked (default: 250)')
    .option('--share <part>', "share of each attack's iterations, for engines that are very slow (default: 1)")
    .option('--quick', 'smaller batches and fewer runs: two minutes instead of half an hour')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExamples:\n  bulwark bench --quick\n  bulwark bench --engine wasm --parts training --json')
    .action((flags: Flags) => bench(flags));
}
