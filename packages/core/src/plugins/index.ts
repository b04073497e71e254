/**
 * Definitions of plugins, their options, the registry.
 * @module @bulwark/core/plugins
 */
export {
  defineAttack,
  defineAugmentation,
  defineAverage,
  defineCallback,
  defineClassification,
  defineDataSource,
  defineInnerOptimizer,
  defineLauncher,
  defineModel,
  defineObjective,
  defineOptimizer,
  definePlugin,
  defineRegularizer,
  defineSchedule,
  defineWeightPerturber,
  type ObjectiveDefinition,
  type PluginDefinition,
} from './define.js';
export { conditionOf, derivedSteps, onlyWith, updateLength, type Condition } from './dependent-option.js';
export { counted } from '../counted.js';
export { contradiction, doubt, type Finding, type RunPlan } from './findings.js';
export { enginesOf } from './engines.js';
export {
  boolean,
  choice,
  integer,
  list,
  number,
  pixelLength,
  pixelLengths,
  plugin,
  pluginReferences,
  type PluginReference,
  type PluginSection,
  section,
  string,
  weight,
} from './option.js';
export {
  pluginKinds,
  type Plugin,
  type PluginKind,
  type PluginProducts,
  type PluginServices,
  type PluginSpec,
  type Written,
} from './plugin.js';
export { createRegistry, nearest, type PluginRegistry } from './registry.js';
