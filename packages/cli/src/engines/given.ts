import { BulwarkError, type Engine, type PluginRegistry, type PluginSpec } from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import { loadPlugins } from '@bulwark/core/run';
import { importUserModule } from '../config/load.js';
import { parseSpec } from '../evaluate/attack-specs.js';
import { builtinRegistry } from '../registry.js';

/** Engines by the modules that bring them, for commands that have no config to name these. */
export const pluginsOption = [
  '--plugins <modules>',
  'packages or files with further engines, with commas between them; as `plugins` in configs',
] as const;

/** The built-in plugins and those of a `--plugins` flag. @throws BulwarkError PLUGIN_LOAD */
export async function registryWith(plugins: string | undefined): Promise<PluginRegistry> {
  const registry = builtinRegistry().child();
  const modules = (plugins ?? '').split(',').filter(Boolean);
  await loadPlugins(modules, { registry, baseFolder: process.cwd(), importModule: importUserModule });
  return registry;
}

/** An engine as it was asked for on the command line: `wasm`, `wasm:threads=2`. */
export interface GivenEngine {
  /** As it was written. */
  readonly label: string;
  readonly request: PluginSpec;
}

/** The engine of a registry with this name. @throws BulwarkError USAGE */
export function engineNamed(name: string, registry: PluginRegistry): Engine {
  const engines = enginesOf(registry);
  const engine = engines.find((known) => known.name === name);
  if (engine) return engine;
  throw new BulwarkError(
    'USAGE',
    `--engine has ${JSON.stringify(name)}; known: ${engines.map((known) => known.name).join(', ')}`,
    { hint: 'name some of these, with commas between them and options after colons: wasm:threads=2' },
  );
}

/** Reads a list such as `wasm:threads=1,wasm:threads=2`. @throws BulwarkError USAGE for a name that is not known */
export const parseEngines = (text: string, registry: PluginRegistry): GivenEngine[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .map((label) => {
      const request = parseSpec(label);
      engineNamed(request.use, registry);
      return { label, request };
    });
