import { join, resolve } from 'node:path';
import { BulwarkError, resumeRun, startRun, type RunHandle } from '@bulwark/core';
import { Command } from 'commander';
import { importUserModule, loadConfig } from '../config/load.js';
import { override } from '../config/override.js';
import { builtinRegistry } from '../registry.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { createOutput, duration, percent, type Output } from '../terminal/output.js';
import { showProgress } from '../terminal/progress.js';

interface TrainFlags {
  readonly set: string[];
  readonly out?: string;
  readonly resume?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  bulwark train st.yaml
  bulwark train st.yaml --set objective.beta=8 --set seed=2 --out runs/st-beta8
  bulwark train --resume runs/st-beta8`;

const collect = (value: string, previous: string[]) => [...previous, value];

/** `bulwark train <config>` and `bulwark train --resume <run>`. */
export function trainCommand(): Command {
  return new Command('train')
    .description('train a model from a config, or continue a run')
    .argument('[config]', 'config file: YAML, JSON, TypeScript or JavaScript')
    .option('--set <path=value>', 'override one config value; may be repeated', collect, [])
    .option('--out <folder>', 'run folder (default: runs/<name>)')
    .option('--resume <run>', 'continue this run where it stopped')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', examples)
    .action(async (configPath: string | undefined, flags: TrainFlags) => {
      const output = createOutput(flags);
      const run = await open(configPath, flags, output);
      await follow(run, output);
    });
}

async function open(configPath: string | undefined, flags: TrainFlags, output: Output): Promise<RunHandle> {
  const services = { registry: builtinRegistry(), importModule: importUserModule, warn: (text: string) => output.warn(text) };
  if (flags.resume !== undefined) {
    if (configPath !== undefined || flags.set.length > 0)
      throw new BulwarkError('USAGE', '--resume continues a run as it was composed; it takes no config and no --set', {
        cure: 'leave them out, or train a new run',
      });
    return resumeRun(resolve(flags.resume), services);
  }
  if (configPath === undefined)
    throw new BulwarkError('USAGE', 'train needs a config file or --resume <run>', { cure: '`bulwark init` writes a starter config' });
  const { input, baseFolder } = await loadConfig(configPath);
  const config = override(input, flags.set);
  const folder = (name: string) => resolve(flags.out ?? join('runs', name));
  return startRun(config, { ...services, baseFolder, folder });
}

/** Runs to the end with a display, reporting how it ended. */
export async function follow(run: RunHandle, output: Output): Promise<void> {
  output.line(`engine ${run.engine.name}: ${run.engine.reason}`);
  output.line(`run folder ${run.folder.path}`);
  const hide = showProgress(run.bus, output, { name: run.config.name });
  const interrupt = onInterrupt(output);
  const began = Date.now();
  try {
    const result = await run.train(interrupt.signal);
    hide();
    if (result.reason === 'interrupted')
      throw new BulwarkError('INTERRUPTED', 'stopped on request; everything so far is saved', { cure: `go on with: bulwark train --resume ${run.folder.path}` });
    if (result.best) output.line(`best epoch ${result.best.epoch}: ${result.best.metric} ${percent(result.best.value)}% on validation`);
    output.line(`done in ${duration((Date.now() - began) / 1000)}; next: bulwark evaluate ${run.folder.path}`);
    output.result({ run: run.folder.path, ...result });
  } finally {
    hide();
    interrupt.release();
    run.dispose();
  }
}
