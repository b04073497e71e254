export { createBudget, readingLimits, type Budget } from './budget.js';
export { largestFile, readIfThere, readRegularFile } from './read.js';
export { cureOf, isTemporary, syncFile, syncFolder, writeAtomically, writeFailure } from './write.js';
