/**
 * Reading files of others within a budget; writing whole files; locks.
 * @module @bulwark/core/files
 */
export { createBudget, readingLimits, type Budget } from './budget.js';
export { digestOf } from './digest.js';
export { tryLockFile, type FileLock, type LockOwner } from './lock.js';
export { largestFile, readIfThere, readRegularFile } from './read.js';
export { placeholderOf } from './placeholder.js';
export { textOf } from './text.js';
export { expectedOf, firstWrong, placeOf, shown, valueAt, wrongValue, type Path } from './wrong-value.js';
export { hintOf, isTemporary, syncFile, syncFolder, writeAtomically, writeFailure } from './write.js';
