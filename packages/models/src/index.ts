export { mlp } from './architectures/mlp.js';
export type { InputNormalisation, Size } from './architectures/options.js';
export { preActResnet, type PreActOptions } from './architectures/preact-resnet.js';
export { resnet, type ResNetOptions } from './architectures/resnet.js';
export { smallCnn } from './architectures/small-cnn.js';
export { vgg, vggDepths, type VggDepth } from './architectures/vgg.js';
export { wideResnet, type WideResNetOptions } from './architectures/wide-resnet.js';
export { modelPlugins } from './plugins.js';
