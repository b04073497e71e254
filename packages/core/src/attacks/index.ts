export { attackStep, gradientLoop, inputGradient, type GradientLoop, type PointLoss } from './loop.js';
