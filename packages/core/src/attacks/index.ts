import type { Plugin } from '../plugins/index.js';
import { fgsm } from './fgsm.js';
import { pgd } from './pgd.js';

export { attackStep, gradientLoop, inputGradient, type GradientLoop, type PointLoss } from './loop.js';
export { attackLossNames, type AttackLossName } from './attack-loss.js';

/** Every attack that comes with core. */
export const attackPlugins: readonly Plugin[] = [fgsm, pgd] as unknown as readonly Plugin[];
