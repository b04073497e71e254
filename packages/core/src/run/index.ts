export { writeAtomically } from './atomic-write.js';
export { corePlugins } from './builtin-plugins.js';
export { checkConfig, checkSpec } from './check-config.js';
export { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.js';
export { compose, composeModel, runTokens, threatOf, type ComposedRun, type ComposeOptions } from './compose.js';
export { defineConfig, runConfigSchema, type RunConfig, type RunConfigInput } from './config.js';
export { loadPlugins, type ImportModule } from './load-plugins.js';
export { createRunFolder, openRunFolder, type FrozenConfig, type RunFolder } from './run-folder.js';
