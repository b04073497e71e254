/** Parts of attacks that golden cases replay one by one; users of the library call the attacks. */
export { apgdDense } from '../attacks/apgd/dense.js';
export { apgdL1 } from '../attacks/apgd/l1.js';
export type { ApgdResult, ApgdRun } from '../attacks/apgd/run.js';
export { deepFool } from '../attacks/deepfool/run.js';
export { projectOnHyperplane } from '../attacks/fab/hyperplane.js';
export { fabRun } from '../attacks/fab/run.js';
export { fixedStepAttack, type FixedStep } from '../attacks/fixed-step.js';
export { momentum } from '../attacks/mi-fgsm.js';
export { squareSearch } from '../attacks/square/search.js';
export { shareAt, sideAt } from '../attacks/square/side.js';
