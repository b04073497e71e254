import { createRegistry, type Plugin, type PluginRegistry } from '@bulwark/core';
import { corePlugins } from '@bulwark/core/run';
import { dataPlugins } from '@bulwark/datasets';
import { torch } from '@bulwark/engine-torch';
import { modelPlugins } from '@bulwark/models';
import { objectivePlugins } from '@bulwark/objectives';
import { packagedEngines } from './engines/absent.js';
import { local } from './launch/local.js';
import { fileLoggers } from './logs/loggers.js';
import { mlflow } from './logs/mlflow.js';
import { wandb } from './logs/wandb.js';
import { slurmLauncher } from './launch/slurm/launcher.js';

/** Every plugin that comes with Bulwark, and stand-ins for engines whose packages are not installed. */
export const builtinRegistry = (): PluginRegistry =>
  createRegistry([
    ...corePlugins,
    ...objectivePlugins,
    ...modelPlugins,
    ...dataPlugins,
    ...fileLoggers,
    ...([mlflow, wandb] as unknown as Plugin[]),
    ...([local, slurmLauncher] as readonly Plugin[]),
    ...([torch, ...packagedEngines] as readonly Plugin[]),
  ]);
