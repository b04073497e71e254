/**
 * What runs in a page: networks, layers models, attacks, losses, norms. Nothing of Node's.
 * @module @bulwark/core/browser
 */
export { BulwarkError, type ErrorCode } from '../errors.js';
export type { Batch } from '../batch.js';
export { createRandom, type Random } from '../random.js';
export * from '../loss/index.js';
export * from '../threat/index.js';
export * from '../network/index.js';
export * from '../classifier/index.js';
export type { Attack, AttackContext } from '../hooks/index.js';
export { skipKernelGradients } from './kernel-gradients.js';
export { attackStep, gradientLoop, type GradientLoop } from '../attacks/loop.js';
export { apgdInPage, pgdInPage, type ApgdChoices, type PgdChoices } from './attacks.js';
