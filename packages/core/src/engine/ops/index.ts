export { conv2d } from './conv2d.js';
export type { Conv2DAttrs, Conv2DFilterGradAttrs, Conv2DInputGradAttrs } from './conv2d.js';
export { conv2dBias } from './conv2d-bias.js';
export { batchNormEval, batchNormTrain } from './batch-norm.js';
export { releasingEarly } from './early-release.js';
export { relu } from './relu.js';
export { signOf, signStep } from './sign-step.js';
export { spatialMean } from './spatial-mean.js';
export { logSoftmax, softmaxCrossEntropy } from './softmax.js';
