export { anyRank, broadcastBytes, exchangeTexts, type Collective } from './collective.js';
export { together } from './together.js';
export { sharedRanks, threadCollective, type SharedRanks } from './threads.js';
