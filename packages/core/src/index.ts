/**
 * The four hooks, plugins, trainer, attacks, evaluation, engines.
 * @module @bulwark/core
 */
export * from './errors.js';
export {
  createBudget,
  cureOf,
  digestOf,
  placeholderOf,
  readIfThere,
  readingLimits,
  readRegularFile,
  textOf,
  tryLockFile,
  writeAtomically,
  type Budget,
  type FileLock,
  type LockOwner,
} from './files/index.js';
export { anyRank, broadcastBytes, exchangeTexts, together, type Collective } from './collective/index.js';
export * from './loss/index.js';
export * from './random.js';
export * from './batch.js';
export * from './formats/index.js';
export * from './threat/index.js';
export * from './network/index.js';
export * from './classifier/index.js';
export * from './engine/index.js';
export * from './hooks/index.js';
export * from './plugins/index.js';
export * from './evaluation/index.js';
export * from './attacks/index.js';
export * from './analysis/index.js';
export * from './trainer/index.js';
export * from './run/index.js';
