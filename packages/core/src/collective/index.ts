/**
 * Several processes that train one model together, as one contract.
 * @module @bulwark/core/collective
 */
export { anyRank, broadcastBytes, exchangeTexts, type Collective } from './collective.js';
export { hostSums, type TensorSums } from './sums.js';
export { together } from './together.js';
export { sharedRanks, threadCollective, type SharedRanks } from './threads.js';
