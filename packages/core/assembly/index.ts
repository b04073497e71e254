export { convPanel } from './conv';
export { convDots } from './dots';
export { filterPanel } from './filter';
export { packPanels, packTransposed, padImages } from './layout';
export { batchStatistics, normApply, normInputGrad, normScale, normScaleRows, normSums } from './norm';
export { relu, reluGrad, signOf, signStep } from './elementwise';
export { maxPoolGrad } from './pool';
