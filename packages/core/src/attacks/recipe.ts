import type { ApgdOptions } from './apgd/restarts.js';
import type { FabOptions } from './fab/plugin.js';
import type { SquareOptions } from './square/search.js';

/**
 * What the official AutoAttack runs its parts with (Croce and Hein, 2020; arXiv:2003.01690), where a version does not say otherwise: the
 * defaults of the plugins, the settings of the ensemble, and what cases of `verify` leave out.
 */
export const apgdRecipe = {
  ...{ loss: 'ce', iterations: 100, restarts: 1, targets: 9, rho: 0.75, eot: 1, largeRadii: false },
} as const satisfies ApgdOptions;
/** FAB of the official code; 0 targets: untargeted. */
export const fabRecipe = {
  ...{ iterations: 100, restarts: 1, alphaMax: 0.1, eta: 1.05, beta: 0.9, targets: 0 },
} as const satisfies FabOptions;
/** Square attack of the official code. */
export const squareRecipe = {
  ...{ queries: 5000, initialShare: 0.8, loss: 'margin', rescale: false },
} as const satisfies SquareOptions;
