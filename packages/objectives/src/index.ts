/**
 * Training methods as plugins, and the parts that they are made of.
 * @module @bulwark/objectives
 */
import type { Plugin } from '@bulwark/core';
import { ard } from './ard.js';
import { arow } from './arow.js';
import { at } from './at.js';
import { avg } from './avg.js';
import { bat } from './bat.js';
import { drawWeights, eAt, type NormCounts } from './e-at.js';
import { cfa, cfaTrades } from './cfa.js';
import { classAccuracyRecord, type ClassAccuracyRecord } from './class-accuracies.js';
import { max } from './max.js';
import { msd } from './msd.js';
import { ramp } from './ramp.js';
import { collaborative } from './collaborative.js';
import { compose } from './compose.js';
import { elle, linearity } from './elle.js';
import { elleA, onOffLambda, type LambdaRule } from './elle-a.js';
import { fastAt } from './fast-at.js';
import { freeAt } from './free-at.js';
import { gairRst } from './gair-rst.js';
import { gairat, geometryWeights, weightFunctions, type WeightFunction } from './gairat.js';
import { gradAlign, alignmentTerm } from './grad-align.js';
import { hat } from './hat.js';
import { classWeights, ikl, softCrossEntropy, weightedSquares, type ClassWeights } from './ikl.js';
import { nonePlugin } from './inner/none.js';
import { pgdPlugin } from './inner/pgd.js';
import { squeezePlugin } from './inner/squeeze.js';
import { lbgat } from './lbgat.js';
import { mail, marginWeights, probabilisticMargin } from './mail.js';
import { mart } from './mart.js';
import { nFgsm } from './n-fgsm.js';
import { natural } from './natural.js';
import { rslad, softLabels } from './rslad.js';
import { rst, stRst } from './rst.js';
import { score } from './score.js';
import { st } from './st.js';
import { discrepancyPlugins } from './terms/between.js';
import { crossEntropyPlugin } from './terms/cross-entropy.js';
import { boostedCrossEntropyPlugin, weightedKlPlugin } from './terms/mart.js';
import { squeezedPlugin } from './terms/squeeze.js';
import { trades } from './trades.js';
import { twoNeighbours, withTwoNeighbours } from './two-neighbours.js';
import { awp } from './weights/awp.js';
import { rwp } from './weights/rwp.js';

const all = [
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
  fastAt,
  nFgsm,
  freeAt,
  elle,
  elleA,
  gradAlign,
  score,
  hat,
  mail,
  arow,
  ikl,
  ard,
  rslad,
  lbgat,
  max,
  avg,
  msd,
  eAt,
  ramp,
  cfa,
  cfaTrades,
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
] as const;

/** Everything that this package adds to a registry. */
export const objectivePlugins = all as unknown as readonly Plugin[];
/** The plugins of this package, for the types of configs. */
export type ObjectivePlugin = (typeof all)[number];

export { noNeighbours } from './inner/none.js';
export {
  onClampedMargin,
  onCrossEntropy,
  onDiscrepancyToNatural,
  onDiscrepancyToTarget,
  type Goal,
  type LogitsAt,
} from './inner/goals.js';
export { pgd, pgdPoint, type PgdOptions } from './inner/pgd.js';
export { innerOptions, innerSection, startNames, type InnerSettings, type StartName } from './inner/settings.js';
export { chooseSides, pick, sideIndex, type Side, type Sides, type Triplet } from './inner/sides.js';
export { squeeze, type SqueezeOptions } from './inner/squeeze.js';
export { startPoint } from './inner/start.js';
export { passesInOrder, passesOption } from './terms/passes-option.js';
export { between } from './terms/between.js';
export { crossEntropyAt } from './terms/cross-entropy.js';
export { discrepancyOptions } from './terms/discrepancy-options.js';
export { unlabelledEntropy } from './terms/entropy.js';
export { boostedCrossEntropyAt, weightedKl } from './terms/mart.js';
export { squeezed } from './terms/squeeze.js';
export { relativeOffsets } from './weights/kernels.js';
export { trainingApgd, type ApgdSteps, type Found } from './norms/apgd.js';
export type { Ball } from './norms/options.js';
export { fuseModels, type NamedTensors } from './norms/fusion.js';
export { modelOption, secondModel, trainedModel } from './teachers.js';
export { smoothed, smoothedOverOthers, smoothingOption } from './terms/smoothing.js';
export {
  alignmentTerm,
  classWeights,
  linearity,
  marginWeights,
  onOffLambda,
  probabilisticMargin,
  softCrossEntropy,
  softLabels,
  weightedSquares,
  type ClassWeights,
  type LambdaRule,
};
export { geometryWeights, weightFunctions, withTwoNeighbours, type WeightFunction };
export {
  avg,
  cfa,
  cfaTrades,
  classAccuracyRecord,
  type ClassAccuracyRecord,
  drawWeights,
  eAt,
  max,
  msd,
  ramp,
  type NormCounts,
  ard,
  arow,
  at,
  awp,
  elle,
  elleA,
  fastAt,
  freeAt,
  gradAlign,
  hat,
  ikl,
  lbgat,
  mail,
  nFgsm,
  rslad,
  score,
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
