/**
 * Training methods as plugins, and the parts that they are made of.
 * @module @bulwark/objectives
 */
import type { Plugin } from '@bulwark/core';
import { at } from './at.js';
import { bat } from './bat.js';
import { collaborative } from './collaborative.js';
import { compose } from './compose.js';
import { gairRst } from './gair-rst.js';
import { gairat, geometryWeights, weightFunctions, type WeightFunction } from './gairat.js';
import { nonePlugin } from './inner/none.js';
import { pgdPlugin } from './inner/pgd.js';
import { squeezePlugin } from './inner/squeeze.js';
import { mart } from './mart.js';
import { natural } from './natural.js';
import { rst, stRst } from './rst.js';
import { st } from './st.js';
import { discrepancyPlugins } from './terms/between.js';
import { crossEntropyPlugin } from './terms/cross-entropy.js';
import { boostedCrossEntropyPlugin, weightedKlPlugin } from './terms/mart.js';
import { squeezedPlugin } from './terms/squeeze.js';
import { trades } from './trades.js';
import { twoNeighbours, withTwoNeighbours } from './two-neighbours.js';
import { awp } from './weights/awp.js';
import { rwp } from './weights/rwp.js';

/** Everything that this package adds to a registry. */
export const objectivePlugins: readonly Plugin[] = [
  natural,
  at,
  trades,
  mart,
  st,
  collaborative,
  twoNeighbours,
  rst,
  stRst,
  gairat,
  gairRst,
  bat,
  compose,
  awp,
  rwp,
  pgdPlugin,
  squeezePlugin,
  nonePlugin,
  crossEntropyPlugin,
  boostedCrossEntropyPlugin,
  ...discrepancyPlugins,
  weightedKlPlugin,
  squeezedPlugin,
] as unknown as Plugin[];

export { noNeighbours } from './inner/none.js';
export { onCrossEntropy, onDiscrepancyToNatural, onClampedMargin, type Goal, type LogitsAt } from './inner/goals.js';
export { pgd, pgdPoint, type PgdOptions } from './inner/pgd.js';
export { innerOptions, innerSection, startNames, type InnerSettings, type StartName } from './inner/settings.js';
export { chooseSides, pick, sideIndex, type Side, type Sides, type Triplet } from './inner/sides.js';
export { squeeze, type SqueezeOptions } from './inner/squeeze.js';
export { startPoint } from './inner/start.js';
export {
  assemble,
  betaOption,
  classificationTerm,
  passesOption,
  regularizerTerm,
  type Parts,
} from './terms/assemble.js';
export { between } from './terms/between.js';
export { crossEntropyAt } from './terms/cross-entropy.js';
export { discrepancyOptions } from './terms/discrepancy-options.js';
export { unlabelledEntropy } from './terms/entropy.js';
export { boostedCrossEntropyAt, weightedKl } from './terms/mart.js';
export { squeezed } from './terms/squeeze.js';
export { relativeOffsets } from './weights/kernels.js';
export { geometryWeights, weightFunctions, withTwoNeighbours, type WeightFunction };
export {
  at,
  awp,
  bat,
  collaborative,
  compose,
  gairat,
  gairRst,
  mart,
  natural,
  rst,
  rwp,
  st,
  stRst,
  trades,
  twoNeighbours,
};
