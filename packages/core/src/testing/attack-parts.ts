/** Parts of attacks that golden cases replay one by one; users of the library call the attacks. */
export { apgdDense } from '../attacks/apgd/dense.js';
export { apgd, type ApgdOptions } from '../attacks/apgd/restarts.js';
export { apgdL1 } from '../attacks/apgd/l1.js';
export type { ApgdResult, ApgdRun } from '../attacks/apgd/run.js';
export { deepFool } from '../attacks/deepfool/run.js';
export { fabAttack, type FabOptions } from '../attacks/fab/plugin.js';
export { fabRun } from '../attacks/fab/run.js';
export { ddn, type DdnRun } from '../attacks/minimum-norm/ddn.js';
export { fmn, type FmnRun } from '../attacks/minimum-norm/fmn.js';
export type { MinimumNormRun } from '../attacks/minimum-norm/nearest.js';
export { fixedStepAttack, type FixedStep } from '../attacks/fixed-step.js';
export { momentum } from '../attacks/mi-fgsm.js';
export { bump } from '../attacks/square/bump.js';
export { apgdRecipe, fabRecipe, squareRecipe } from '../attacks/recipe.js';
export { squareSearch } from '../attacks/square/search.js';
export { shareAt, sideAt } from '../attacks/square/side.js';
