import { Command } from 'commander';
import { BulwarkError, type Launcher, type PluginRegistry, type PluginServices, type PluginSpec } from '@bulwark/core';
import { checkSpec, loadPlugins } from '@bulwark/core/run';
import { parseSpec } from '../evaluate/attack-specs.js';
import { importUserModule, loadConfig } from '../config/load.js';
import { addFlagRules } from '../terminal/flag-rules.js';
import { numberFlag } from '../terminal/number-flag.js';

/** Flags of all commands that launch jobs. */
export interface LaunchFlags {
  readonly launcher?: string;
  readonly jobs?: string;
  readonly retries: string;
  readonly wait: boolean;
}

const launchFlags = ['launcher', 'jobs', 'retries', 'no-wait'];

/** Adds the flags that say where jobs run; `only` names the flag without which the command has no jobs. */
export function addLaunchFlags(command: Command, only?: string): Command {
  if (only !== undefined) addFlagRules(command, { flags: launchFlags, needs: [only] });
  return command
    .option(
      '--launcher <spec>',
      'where jobs run: local, slurm, a plugin, with options as slurm:partition=gpu, or a file of them',
    )
    .option('--jobs <n>', 'jobs at the same time on this machine; short for --launcher local:jobs=<n>')
    .option('--retries <n>', 'how often a job that was killed is started again', '1')
    .option('--no-wait', 'with a queue: hand the jobs over and come back');
}

/** @throws BulwarkError USAGE */
export const retriesOf = ({ retries }: Pick<LaunchFlags, 'retries'>): number =>
  numberFlag('retries', retries, { min: 0, integer: true });

const notKnown = (what: string) => (): never => {
  throw new Error(`${what} belongs to a run; a launcher has none`);
};

/** What launchers get injected: there is no run. */
const servicesOf = (baseFolder: string, warn: (text: string) => void): PluginServices => ({
  baseFolder,
  warn,
  make: notKnown('make'),
  random: notKnown('random'),
  get threat() {
    return notKnown('the threat model')();
  },
  get inputShape() {
    return notKnown('the shape of images')();
  },
  get classNames() {
    return notKnown('the list of classes')();
  },
});

/** `slurm`, `slurm:partition=gpu:gpus=1`, or a file with `use` and options, for what does not fit into a line. */
async function specOf(text: string): Promise<{ spec: PluginSpec; plugins: readonly string[]; baseFolder: string }> {
  if (!/\.(ya?ml|json|ts|js|mjs)$/.test(text)) return { spec: parseSpec(text), plugins: [], baseFolder: process.cwd() };
  const { input, baseFolder } = await loadConfig(text);
  const { plugins = [], ...spec } = input as PluginSpec & { plugins?: readonly string[] };
  if (typeof spec.use !== 'string')
    throw new BulwarkError('CONFIG_INVALID', `${text} names no launcher`, {
      hint: 'write use: slurm, and its options',
    });
  return { spec, plugins, baseFolder };
}

/** A launcher for new jobs, and what finds those that another one has. */
export interface ChosenLauncher {
  readonly name: string;
  readonly launcher: Launcher;
  readonly open: (name: string) => Launcher;
}

/**
 * The launcher that flags choose: `--launcher`, else `--jobs` processes of this machine, else `fallback`, else one process after the other.
 * @throws BulwarkError USAGE, CONFIG_INVALID, PLUGIN_UNKNOWN, PLUGIN_LOAD
 */
export async function chooseLauncher(
  flags: Pick<LaunchFlags, 'launcher' | 'jobs'>,
  given: {
    registry: PluginRegistry;
    warn: (text: string) => void;
    fallback?: { spec: PluginSpec; baseFolder: string };
  },
): Promise<ChosenLauncher> {
  const registry = given.registry.child();
  const jobs = flags.jobs === undefined ? undefined : numberFlag('jobs', flags.jobs, { min: 1, integer: true });
  if (jobs !== undefined && flags.launcher !== undefined)
    throw new BulwarkError('USAGE', '--jobs and --launcher exclude each other', {
      hint: `write --launcher local:jobs=${jobs}, or give the launcher alone`,
    });
  let chosen = { spec: { use: 'local' } as PluginSpec, baseFolder: process.cwd() };
  if (flags.launcher !== undefined) {
    const { plugins, ...named } = await specOf(flags.launcher);
    await loadPlugins(plugins, { registry, baseFolder: named.baseFolder, importModule: importUserModule });
    chosen = named;
  } else if (jobs !== undefined) chosen = { ...chosen, spec: { use: 'local', jobs } };
  else if (given.fallback) chosen = given.fallback;
  const { use, ...options } = checkSpec(registry, 'launcher', chosen.spec, ['launcher']);
  const make = (name: string, with_: object) =>
    registry.find('launcher', name).create(with_ as never, servicesOf(chosen.baseFolder, given.warn));
  return {
    name: use,
    launcher: make(use, options),
    // handles say all that a launcher needs to find a job again
    open: (name) => make(name, checkSpec(registry, 'launcher', { use: name }, ['launcher'])),
  };
}
