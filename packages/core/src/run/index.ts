/**
 * Runs: configs, composition, folders, checkpoints.
 * @module @bulwark/core/run
 */
export { baseFolderNow, baseFromRun, relativeFile } from './base-folder.js';
export { corePlugins, type OptimizerOrSchedulePlugin } from './builtin-plugins.js';
export { checkConfig } from './check-config.js';
export { checkSpec } from './check-spec.js';
export { examineConfig, findingText } from './examine-config.js';
export { examineSpec, type PlacedFinding } from './examine-options.js';
export { checkFeatures } from './check-features.js';
export { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.js';
export { compose, composeModel, runTokens, type ComposedRun } from './compose.js';
export { threatOf, type ComposeOptions } from './plugin-services.js';
export { folderName, runConfigSchema, type RunConfig, type RunConfigInput } from './config.js';
export { loadPlugins, type ImportModule, type PluginPolicy } from './load-plugins.js';
export { locatePlugin, pluginCode, type LocatedPlugin, type PluginCode } from './plugin-files.js';
export { lockHolder, lockRunFolder, type RunLock } from './lock.js';
export { createRunFolder, openRunFolder, type FrozenConfig, type RunFolder } from './run-folder.js';
export { peakBytes } from './peak-memory.js';
export { previewRun, type CostPreview, type PreviewOptions } from './preview.js';
export { checkRun, checkRunFolder, engineOf, resumeRun, startRun, type RunServices, type CheckedRun } from './run.js';
export type { RunHandle, RunResult } from './handle.js';
export type { EpochTiming } from './stored-schema.js';
export { versions } from './versions.js';
export { validate, type Validation } from './validate.js';
export { configJsonSchema, optionsJsonSchema } from './json-schema.js';
