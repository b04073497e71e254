export { addUnit, divideUnit, maximumUnit, minimumUnit, multiplyUnit, subtractUnit } from './arithmetic';
export { convUnit } from './conv';
export { depthwiseFilterGradUnit, depthwiseInputGradUnit, depthwiseUnit, repeatUnit, sumCopiesUnit } from './depthwise';
export { dotsUnit } from './dots';
export { clipUnit, reluGradUnit, reluUnit, signOfUnit, signStepUnit } from './elementwise';
export { filterUnit } from './filter';
export { packPanelsUnit, packTransposedUnit, padUnit } from './layout';
export {
  batchStatisticsUnit,
  mergeStatisticsUnit,
  mergeSumsUnit,
  normApplyUnit,
  normGammaGrad,
  normGradCoefficients,
  normInputGradUnit,
  normScale,
  normScaleRowsUnit,
  normSumsUnit,
} from './norm';
export { maxPoolGradUnit } from './pool';
export { spatialMeanGradUnit, spatialMeanUnit } from './spatial-mean';
