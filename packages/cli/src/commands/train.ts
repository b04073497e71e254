import { join, resolve } from 'node:path';
import {
  BulwarkError,
  previewRun,
  resumeRun,
  startRun,
  type Collective,
  type RunConfig,
  type RunHandle,
} from '@bulwark/core';
import { Command, Option } from 'commander';
import { importUserModule, loadConfig } from '../config/load.js';
import { override } from '../config/override.js';
import { parseSpec } from '../evaluate/attack-specs.js';
import { parseLogs, withLogs } from '../logs/loggers.js';
import { builtinRegistry } from '../registry.js';
import { addFlagRules } from '../terminal/flag-rules.js';
import { createOutput, duration, silentOutput, type Output } from '../terminal/output.js';
import { addLaunchFlags, chooseLauncher, retriesOf, type LaunchFlags } from '../launch/index.js';
import { follow } from '../train/follow.js';
import { addRankFlags, joinRanks, startProcesses, type RankFlags } from '../train/ranks.js';
import { previewLines } from '../train/preview-lines.js';
import { parseSeeds, trainSeeds } from '../train/seeds.js';
import { pluginsOption, rememberPlugins, runServices, type PluginFlags } from '../trust/policy.js';

export { follow } from '../train/follow.js';

interface TrainFlags extends PluginFlags, LaunchFlags, RankFlags {
  readonly set: string[];
  readonly engine?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly seeds?: string;
  readonly dryRun?: boolean;
  readonly baseFolder?: string;
  readonly log?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  bulwark train st.yaml
  bulwark train st.yaml --set objective.beta=8 --set seed=2 --out runs/st-beta8
  bulwark train st.yaml --dry-run
  bulwark train st.yaml --log tensorboard,csv
  bulwark train st.yaml --seeds 1..7 --jobs 2
  bulwark train st.yaml --processes 4
  bulwark train --resume runs/st-beta8
  bulwark train --resume runs/st-beta8 --set guard.onFailure=rollback
  bulwark train --resume runs/st-beta8 --set epochs=150`;

const collect = (value: string, previous: string[]) => [...previous, value];

/** `bulwark train <config>` and `bulwark train --resume <run>`. */
export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a model from a config, or continue a run')
    .argument('[config]', 'config file: YAML, JSON, TypeScript or JavaScript')
    .option('--set <path=value>', 'override one config value; may be repeated', collect, [])
    .option('--engine <name>', "engine instead of the config's, options after colons: wasm:threads=2")
    .option('--out <folder>', 'run folder (default: runs/<name>)')
    .option(
      '--resume <run>',
      'continue this run where it stopped; --set may then change guard, checkpoint, callbacks, more epochs',
    )
    .option(...pluginsOption)
    .option('--seeds <list>', 'train once per seed, each in <folder>/seed-<n>: 1..7 or 1,2,5; continues what has begun')
    .option('--dry-run', 'compose the run, measure a few steps, say what the whole will cost, write nothing')
    .option('--log <forms>', 'also log into the run folder: tensorboard, csv, jsonl; several with commas')
    .addOption(new Option('--base-folder <folder>', 'folder that relative paths in the config refer to').hideHelp())
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', examples);
  addFlagRules(command, { flags: ['base-folder'], excludes: ['resume'] });
  addRankFlags(command);
  return addLaunchFlags(command, 'seeds').action(async (configPath: string | undefined, flags: TrainFlags) => {
    const collective = joinRanks(flags);
    if (!collective && flags.processes !== undefined) return startProcesses(flags);
    const output = collective && collective.rank > 0 ? silentOutput : createOutput(flags);
    const logs = flags.log === undefined ? [] : parseLogs(flags.log);
    if (flags.resume !== undefined)
      return follow(await resume(flags.resume, { configPath, flags, logs, output, collective }), output);
    if (configPath === undefined)
      throw new BulwarkError('USAGE', 'train needs a config file or --resume <run>', {
        hint: '`bulwark init` writes a starter config',
      });
    const { input, baseFolder: besideConfig } = await loadConfig(configPath);
    const baseFolder = flags.baseFolder === undefined ? besideConfig : resolve(flags.baseFolder);
    const chosen = flags.engine === undefined ? input : { ...input, engine: parseSpec(flags.engine) };
    const config = withLogs(override(chosen, flags.set), logs);
    const registry = builtinRegistry();
    const warn = (text: string) => output.warn(text);
    if (flags.plugins)
      throw new BulwarkError('USAGE', '--plugins goes with --resume; a config lists its plugins itself', {
        hint: 'write them under `plugins:` in the config',
      });
    const services = { registry, importModule: importUserModule, warn, baseFolder, collective };
    const folder = (name: string) => resolve(flags.out ?? join('runs', name));
    if (flags.dryRun) {
      const preview = await previewRun(config, services);
      for (const line of previewLines(preview)) output.line(line);
      if (flags.seeds !== undefined) {
        const { length } = parseSeeds(flags.seeds);
        output.line(`that is one seed; all ${length}, one after the other: ${duration(length * preview.secondsInAll)}`);
      }
      return output.result(preview);
    }
    if (flags.seeds === undefined) {
      const run = await startRun(config, { ...services, folder });
      if (output !== silentOutput) rememberPlugins(run.config.plugins, baseFolder, warn);
      return follow(run, output);
    }
    const launch = {
      ...(await chooseLauncher(flags, { registry, warn })),
      retries: retriesOf(flags),
      wait: flags.wait,
    };
    const arguments_ = [
      configPath,
      ...(flags.engine === undefined ? [] : ['--engine', flags.engine]),
      ...flags.set.flatMap((assignment) => ['--set', assignment]),
    ];
    return trainSeeds(config, {
      services,
      folder,
      arguments: arguments_,
      always: flags.log === undefined ? [] : ['--log', flags.log],
      seeds: parseSeeds(flags.seeds),
      launch,
      output,
    });
  });
}

async function resume(
  path: string,
  given: {
    configPath: string | undefined;
    flags: TrainFlags;
    logs: readonly string[];
    output: Output;
    collective: Collective | undefined;
  },
): Promise<RunHandle> {
  const { configPath, flags, logs, output, collective } = given;
  const { engine, seeds, out, dryRun } = flags;
  if ([configPath, engine, seeds, out].some((given) => given !== undefined) || dryRun)
    throw new BulwarkError(
      'USAGE',
      '--resume continues a run as it was composed; it takes no config, --engine, --out, --seeds or --dry-run',
      {
        hint: 'leave them out, or train a new run',
      },
    );
  const change = (config: RunConfig) => withLogs(override({ ...config }, flags.set), logs);
  const services = runServices(path, flags, (text) => output.warn(text));
  return resumeRun(resolve(path), { ...services, collective, ...(flags.set.length + logs.length > 0 && { change }) });
}
