export { conv } from './conv';
export { convFilterGrad } from './filter';
export { packPanels, packTransposed, padImages } from './layout';
export { batchStatistics, normApply, normInputGrad, normScale, normScaleRows, normSums } from './norm';
export { relu, reluGrad, signOf, signStep } from './elementwise';
