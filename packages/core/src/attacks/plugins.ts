import type { Plugin } from '../plugins/index.js';
import { apgdPlugin } from './apgd/plugin.js';
import { autoAttackPlugin } from './autoattack.js';
import { cwLinf } from './cw-linf.js';
import { deepFoolPlugin } from './deepfool/plugin.js';
import { fabPlugin, fabTargetedPlugin } from './fab/plugin.js';
import { fgsm } from './fgsm.js';
import { iterativeFgsm } from './i-fgsm.js';
import { momentumFgsm } from './mi-fgsm.js';
import { ddnPlugin, fmnPlugin } from './minimum-norm/plugins.js';
import { pgd } from './pgd.js';
import { squarePlugin } from './square/plugin.js';

const all = [
  fgsm,
  iterativeFgsm,
  momentumFgsm,
  pgd,
  cwLinf,
  deepFoolPlugin,
  apgdPlugin,
  fabPlugin,
  fabTargetedPlugin,
  fmnPlugin,
  ddnPlugin,
  squarePlugin,
  autoAttackPlugin,
] as const;

/** Every attack that comes with core. */
export const attackPlugins: readonly Plugin[] = all;
/** The attacks that come with core, for the types of configs. */
export type AttackPlugin = (typeof all)[number];
