import { defineInnerOptimizer, type InnerOptimizer } from '@bulwark/core';

/** Makes no neighbours. */
export const noNeighbours: InnerOptimizer = { produces: [], craft: () => ({ points: {} }) };

export const nonePlugin = defineInnerOptimizer({
  name: 'none',
  summary: 'No neighbours: the objective uses natural images only.',
  create: () => noNeighbours,
});
