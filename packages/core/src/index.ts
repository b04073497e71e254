/**
 * What authors of objectives, attacks, models, data sources and engines write with, and the short programs that train and evaluate. The rest has doors
 * by folder: `@bulwark/core/run`, `/trainer`, `/plugins`, `/evaluation`, `/attacks`, `/analysis`, `/classifier`, `/network`, `/engine`, `/formats`, `/files`,
 * `/hooks`, `/loss`, `/threat`, `/testing`. Types are all here.
 *
 * Every value has an example. In these, names of this module are imported, `tf` is `@bulwark/core/tfjs`, and `// =>` says what an expression
 * comes to (tensors as arrays); the tests run them.
 * @module @bulwark/core
 */
// plain JavaScript computes until a program chooses an engine
import '#tensorflow-cpu';

export type * from './analysis/index.js';
export type * from './attacks/index.js';
export type * from './classifier/index.js';
export type * from './collective/index.js';
export type * from './engine/index.js';
export type * from './evaluation/index.js';
export type * from './files/index.js';
export type * from './formats/index.js';
export type * from './hooks/index.js';
export type * from './loss/index.js';
export type * from './network/index.js';
export type * from './plugins/index.js';
export type * from './run/index.js';
export type * from './threat/index.js';
export type * from './trainer/index.js';

export * from './errors.js';
export * from './random.js';
export {
  allImages,
  checkImageSet,
  concatenated,
  countOf,
  disposeBatch,
  imagesAt,
  imageSize,
  isLoaded,
  rangeOf,
  selected,
  subset,
  takeExamples,
  unlabelled,
  type Batch,
  type ImageReader,
  type ImageSet,
  type ImageShape,
  type LoadedImageSet,
} from './batch.js';
export * from './loss/index.js';
export { clipToPixelRange, normNames, norms, radiusOf } from './threat/index.js';
export { defineLayer, networkGraph } from './network/index.js';
export {
  classifierOfLayers,
  createNetwork,
  factsOf,
  inputGradient,
  logitGradients,
  logitsOf,
  parameterCount,
  surrounded,
} from './classifier/index.js';
export { passes, permutationSampler, renamed, weighted } from './hooks/index.js';
export { attackStep, gradientLoop } from './attacks/loop.js';
export { spread } from './attacks/tiers.js';
export {
  boolean,
  choice,
  createRegistry,
  defineAttack,
  defineAugmentation,
  defineAverage,
  defineCallback,
  defineClassification,
  defineDataSource,
  defineInnerOptimizer,
  defineLauncher,
  defineModel,
  defineObjective,
  defineOptimizer,
  definePlugin,
  defineRegularizer,
  defineSchedule,
  defineWeightPerturber,
  integer,
  list,
  number,
  pixelLength,
  pixelLengths,
  plugin,
  section,
  string,
  weight,
} from './plugins/index.js';
export { defineEngine } from './engine/define.js';
export { evaluate, previewRun, resumeRun, startRun, useEngine } from './programs.js';
