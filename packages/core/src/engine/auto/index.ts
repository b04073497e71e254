export { knownOrder, measuredOrder, measureOrder, type Candidate, type Order } from './order.js';
export type { Place } from './measure.js';
