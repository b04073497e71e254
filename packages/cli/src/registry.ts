import { corePlugins, createRegistry, type Plugin, type PluginRegistry } from '@bulwark/core';
import { dataPlugins } from '@bulwark/datasets';
import { tensorflow } from '@bulwark/engine-tensorflow';
import { torch } from '@bulwark/engine-torch';
import { webgpu } from '@bulwark/engine-webgpu';
import { modelPlugins } from '@bulwark/models';
import { objectivePlugins } from '@bulwark/objectives';
import { local } from './launch/local.js';
import { slurmLauncher } from './launch/slurm/launcher.js';

/** Every plugin that comes with Bulwark. */
export const builtinRegistry = (): PluginRegistry =>
  createRegistry([
    ...corePlugins,
    ...objectivePlugins,
    ...modelPlugins,
    ...dataPlugins,
    ...([local, slurmLauncher] as readonly Plugin[]),
    ...([torch, tensorflow, webgpu] as readonly Plugin[]),
  ]);
