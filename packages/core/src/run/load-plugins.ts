import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
import { BulwarkError } from '../errors.js';
import { pluginKinds, type Plugin, type PluginRegistry } from '../plugins/index.js';

/** Imports a module by URL; the command passes one that understands TypeScript. */
export type ImportModule = (url: string) => Promise<Record<string, unknown>>;

const isPlugin = (value: unknown): value is Plugin =>
  typeof value === 'object' &&
  value !== null &&
  (pluginKinds as readonly unknown[]).includes((value as Plugin).kind) &&
  typeof (value as Plugin).create === 'function';

/**
 * Imports packages or files (relative to `baseFolder`) and registers every plugin that they export, alone or in lists.
 * @throws BulwarkError PLUGIN_LOAD
 */
export async function loadPlugins(
  specifiers: readonly string[],
  options: { registry: PluginRegistry; baseFolder: string; importModule?: ImportModule },
): Promise<void> {
  const { registry, baseFolder, importModule = (url) => import(url) as Promise<Record<string, unknown>> } = options;
  for (const specifier of specifiers) {
    const url = locate(specifier, baseFolder);
    const exported = await importModule(url).catch((cause: Error) => {
      throw new BulwarkError('PLUGIN_LOAD', `plugins: ${specifier} cannot be loaded: ${cause.message}`, {
        cure: 'check the path, or install the package beside the config',
        cause,
      });
    });
    const plugins = [...new Set(Object.values(exported).flat().filter(isPlugin))];
    if (plugins.length === 0)
      throw new BulwarkError('PLUGIN_LOAD', `plugins: ${specifier} exports no plugin`, {
        cure: 'export what definePlugin, defineObjective, ... returns',
      });
    registry.register(...plugins);
  }
}

function locate(specifier: string, baseFolder: string): string {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return pathToFileURL(resolve(baseFolder, specifier)).href;
  try {
    return pathToFileURL(createRequire(resolve(baseFolder, 'config.json')).resolve(specifier)).href;
  } catch {
    return specifier;
  }
}
