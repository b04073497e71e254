import { pathToFileURL } from 'node:url';
import { BulwarkError } from '../errors.js';
import { pluginKinds, type Plugin, type PluginRegistry } from '../plugins/index.js';
import { locatePlugin, type LocatedPlugin } from './plugin-files.js';

/** Imports a module by URL; the command passes one that understands TypeScript. */
export type ImportModule = (url: string) => Promise<Record<string, unknown>>;

const isPlugin = (value: unknown): value is Plugin =>
  typeof value === 'object' &&
  value !== null &&
  (pluginKinds as readonly unknown[]).includes((value as Plugin).kind) &&
  typeof (value as Plugin).create === 'function';

interface Loading {
  readonly registry: PluginRegistry;
  readonly importModule?: ImportModule;
}

/**
 * Imports packages or files (relative to `baseFolder`) and registers every plugin that they export, alone or in lists. Importing runs
 * their code: pass only what the user has named.
 * @throws BulwarkError PLUGIN_LOAD
 */
export async function loadPlugins(
  specifiers: readonly string[],
  options: Loading & { baseFolder: string },
): Promise<void> {
  for (const specifier of specifiers) await loadLocated(locatePlugin(specifier, options.baseFolder), options);
}

async function loadLocated(
  { specifier, file }: LocatedPlugin,
  options: Loading & { /** Plugins of names that are taken are left out. */ besides?: boolean },
): Promise<void> {
  const { registry, importModule = (url) => import(url) as Promise<Record<string, unknown>> } = options;
  const exported = await importModule(pathToFileURL(file).href).catch((cause: Error) => {
    throw new BulwarkError('PLUGIN_LOAD', `plugins: ${specifier} cannot be loaded: ${cause.message}`, {
      hint: 'check what it imports; packages must be installed beside it',
      cause,
    });
  });
  const plugins = [...new Set(Object.values(exported).flat().filter(isPlugin))];
  const taken = ({ kind, name }: Plugin) => registry.list(kind).some((known) => known.name === name);
  if (plugins.length === 0)
    throw new BulwarkError('PLUGIN_LOAD', `plugins: ${specifier} exports no plugin`, {
      hint: 'export what definePlugin, defineObjective, ... returns',
    });
  registry.register(...(options.besides ? plugins.filter((plugin) => !taken(plugin)) : plugins));
}

/** Whose plugins may run when a run folder is opened, which may come from anyone. */
export interface PluginPolicy {
  /** Files or packages that the caller names, from the working folder; they come before those that a run folder asks for. */
  readonly plugins?: readonly string[];
  /** May this one, which a run folder asks for, be loaded? Default: none. */
  readonly mayLoad?: (plugin: LocatedPlugin) => boolean;
}

/** The same error, for someone who did not write the config. */
function locateForRun(path: string, locate: () => LocatedPlugin): LocatedPlugin {
  try {
    return locate();
  } catch (error) {
    if (!(error instanceof BulwarkError)) throw error;
    throw new BulwarkError(error.code, `${path} asks for ${error.message}`, {
      hint: 'name the plugins that this run needs, as you have them: --plugins <files>',
      cause: error,
    });
  }
}

/** Of the plugins that a run folder asks for, those that are there and may be loaded; a name that the caller's have taken is theirs. */
async function loadTrustedBesides(
  { specifiers, baseFolder }: { specifiers: readonly string[]; baseFolder: string },
  options: Loading & PluginPolicy,
): Promise<void> {
  const there = specifiers.flatMap((specifier) => {
    try {
      return [locatePlugin(specifier, baseFolder)];
    } catch {
      return []; // the caller's stand for it
    }
  });
  for (const plugin of there.filter(options.mayLoad ?? (() => false)))
    await loadLocated(plugin, { ...options, besides: true });
}

/**
 * Loads the caller's plugins, and those that a run folder asks for as far as the policy lets it; without plugins of the caller's all or none.
 * @throws BulwarkError PLUGIN_UNTRUSTED, PLUGIN_LOAD
 */
export async function loadPluginsOfRun(
  run: { path: string; specifiers: readonly string[]; baseFolder: string },
  options: Loading & PluginPolicy,
): Promise<void> {
  const { specifiers, baseFolder, path } = run;
  const { plugins, mayLoad = () => false } = options;
  if (plugins && plugins.length > 0) {
    await loadPlugins(plugins, { ...options, baseFolder: process.cwd() });
    return loadTrustedBesides(run, options);
  }
  const located = specifiers.map((specifier) => locateForRun(path, () => locatePlugin(specifier, baseFolder)));
  const refused = located.filter((plugin) => !mayLoad(plugin));
  if (refused.length > 0)
    throw new BulwarkError(
      'PLUGIN_UNTRUSTED',
      `${path} asks for plugins, which are programs, and nothing says that you trust them: ${refused.map(({ file }) => file).join(', ')}`,
      {
        hint: `read them, then give the command again after \`bulwark trust ${path}\`; or name plugins of your own with --plugins <files>`,
      },
    );
  for (const plugin of located) await loadLocated(plugin, options);
}
