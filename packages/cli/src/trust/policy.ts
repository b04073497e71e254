import { realpathSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { BulwarkError, type LocatedPlugin, type PluginPolicy, type RunServices } from '@bulwark/core';
import { readIfThere, textOf } from '@bulwark/core/files';
import { locatePlugin, pluginCode } from '@bulwark/core/run';
import { parse as parseYaml } from 'yaml';
import { importUserModule, yamlForm } from '../config/load.js';
import { builtinRegistry } from '../registry.js';
import { trustStore } from './store.js';

/** Flags of commands that open run folders. */
export interface PluginFlags {
  /** Files or packages of the caller's, before those that a run asks for. */
  readonly plugins?: readonly string[] | undefined;
}

export const pluginsOption = [
  '--plugins <files...>',
  'plugins of yours, for attacks or for this run; of those that its folder asks for, only trusted ones are loaded besides',
] as const;

/** The working folder's config, as `bulwark init` names it. It is read, never run. */
const projectConfigs = ['bulwark.yaml', 'bulwark.yml', 'bulwark.json'];

const within = (path: string, folder: string) => path === folder || path.startsWith(folder + sep);

/** Files of the plugins that the config of the working folder names; a config inside of a run folder is the run's, not the caller's. */
function pluginsOfProject(run: string): string[] {
  const files = projectConfigs.map((name) => resolve(name));
  return files.flatMap((file) => {
    const content = readIfThere(file);
    if (content === undefined || within(realpathSync(file), realpathSync(run))) return [];
    try {
      const { plugins } = (parseYaml(textOf(content), yamlForm) ?? {}) as { plugins?: unknown };
      const named = Array.isArray(plugins) ? plugins.filter((name) => typeof name === 'string') : [];
      return named.map((name) => locatePlugin(name, dirname(file)).file);
    } catch {
      return []; // a config that is no config allows nothing
    }
  });
}

/** Loads plugins that the caller names; of those that a run folder asks for, the caller's own. */
export function pluginPolicy(run: string, { plugins }: PluginFlags): PluginPolicy {
  let ofProject: readonly string[] | undefined;
  const mayLoad = ({ file }: LocatedPlugin): boolean =>
    (ofProject ??= pluginsOfProject(run)).includes(file) || trustStore().has(pluginCode(file).sha256);
  return { ...(plugins && { plugins }), mayLoad };
}

/** What opening a run folder needs. */
export const runServices = (
  run: string,
  flags: PluginFlags,
  warn: (text: string) => void,
): RunServices & { warn: (text: string) => void } => ({
  registry: builtinRegistry(),
  importModule: importUserModule,
  warn,
  ...pluginPolicy(run, flags),
});

/** The flags by which a process that this one starts gets the plugins of the caller's config. */
export function pluginFlags(specifiers: readonly string[], baseFolder: string): string[] {
  if (specifiers.length === 0) return [];
  return ['--plugins', ...specifiers.map((specifier) => locatePlugin(specifier, baseFolder).file)];
}

/**
 * Remembers the plugins of a run that the user has started from a config of his own, so that later commands may open the run with them as
 * they are.
 */
export function rememberPlugins(specifiers: readonly string[], baseFolder: string, warn: (text: string) => void): void {
  try {
    const files = specifiers.map((specifier) => locatePlugin(specifier, baseFolder).file);
    if (files.length > 0) trustStore().add(files.map((file) => ({ file, sha256: pluginCode(file).sha256 })));
  } catch (error) {
    if (!(error instanceof BulwarkError)) throw error;
    warn(`${error.message}; later commands on this run will need --plugins`);
  }
}
