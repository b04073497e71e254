export { conv2d, conv2dFilterGrad, conv2dInputGrad, padded } from './conv2d.js';
export type { Conv2DAttrs, Conv2DFilterGradAttrs, Conv2DInputGradAttrs } from './conv2d.js';
export { conv2dBias } from './conv2d-bias.js';
export {
  batchNormEval,
  batchNormEvalInputGrad,
  batchNormEvalParameterGrads,
  batchNormTrain,
  batchNormTrainGrad,
  batchNormTrainInputGrad,
} from './batch-norm.js';
export { pickOf } from './pick.js';
export { relu, reluGrad } from './relu.js';
export { signOf, signStep } from './sign-step.js';
export { spatialMean, spatialMeanGrad } from './spatial-mean.js';
export { logSoftmax, softmaxCrossEntropy } from './softmax.js';
export { inTwoForms, markHostMemory } from './two-forms.js';
export { padAxis, sameMargins, undilated } from './dilation.js';
export { approached, momentumStep, weightedSum } from './updates.js';
