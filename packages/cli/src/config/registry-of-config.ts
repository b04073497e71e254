import type { PluginRegistry } from '@bulwark/core';
import { loadPlugins } from '@bulwark/core/run';
import { builtinRegistry } from '../registry.js';
import { importUserModule, loadConfig } from './load.js';

/** The flag of commands that look at plugins. */
export const configOption = ['--config <file>', 'a config of yours, whose plugins are loaded, too'] as const;

/** All plugins that come with Bulwark and, if a config is named, those under its `plugins:`. @throws BulwarkError PLUGIN_LOAD */
export async function registryOfConfig(path: string | undefined): Promise<PluginRegistry> {
  const registry = builtinRegistry();
  if (path === undefined) return registry;
  const { input, baseFolder } = await loadConfig(path);
  const named = Array.isArray(input['plugins']) ? input['plugins'].filter((name) => typeof name === 'string') : [];
  await loadPlugins(named, { registry, baseFolder, importModule: importUserModule });
  return registry;
}
