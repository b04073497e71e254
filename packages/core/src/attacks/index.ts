/**
 * Attacks as plugins, AutoAttack and its parts, tiers of effort, trust probes.
 * @module @bulwark/core/attacks
 */
export { attackPlugins, type AttackPlugin } from './plugins.js';
export { attackStep, gradientLoop, type GradientLoop } from './loop.js';
export {
  autoAttack,
  autoAttackParts,
  autoAttackVersions,
  type AutoAttackOptions,
  type AutoAttackPart,
} from './autoattack.js';
export { probeTrust } from './probes.js';
export { transferred, type TransferSource } from './transfer.js';
export { spread, tierNames, tiers, type Tier, type TierName } from './tiers.js';
export { attackLossNames, type AttackLossName } from './attack-loss.js';
