import { corePlugins, createRegistry, tensorflow, webgpu, type Plugin, type PluginRegistry } from '@bulwark/core';
import { dataPlugins } from '@bulwark/datasets';
import { modelPlugins } from '@bulwark/models';
import { objectivePlugins } from '@bulwark/objectives';

/** Every plugin that comes with Bulwark. */
export const builtinRegistry = (): PluginRegistry =>
  createRegistry([
    ...corePlugins,
    ...objectivePlugins,
    ...modelPlugins,
    ...dataPlugins,
    ...([tensorflow, webgpu] as readonly Plugin[]),
  ]);
