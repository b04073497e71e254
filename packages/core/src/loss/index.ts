/**
 * Losses and discrepancies, one value per example.
 * @module @bulwark/core/loss
 */
export { logSoftmax } from '../ops/index.js';
export { crossEntropy, oneHotLabels, trueClassProbability } from './cross-entropy.js';
export { discrepancy, discrepancyNames, kl, type Discrepancy, type DiscrepancyName } from './discrepancy.js';
export { dlr, targetedDlr } from './dlr.js';
export { margin, strongestWrongClass, targetedMargin } from './margin.js';
export { meanSquared } from './mean-squared.js';
export { stopGradient, withoutGradient } from './stop-gradient.js';
