/**
 * Architectures, and weights in and out.
 * @module @bulwark/models
 */
export { goldenGraph, goldenNetwork } from './golden-networks.js';
export {
  goldenWeights,
  proceduralPixels,
  proceduralWeights,
  readModelGolden,
  type ProceduralGolden,
  type TinyGolden,
} from './golden.js';
export { mlp } from './architectures/mlp.js';
export type { Size } from './architectures/options.js';
export { preActResnet, type PreActOptions } from './architectures/preact-resnet.js';
export { resnet, type ResNetOptions } from './architectures/resnet.js';
export { smallCnn } from './architectures/small-cnn.js';
export { vgg, vggDepths, type VggDepth } from './architectures/vgg.js';
export { wideResnet, type WideResNetOptions } from './architectures/wide-resnet.js';
export { readLayersFacts, readLayersModel, writeLayersModel } from './layers/files.js';
export { toLayersModel } from './layers/to-layers.js';
export { openModel, type OpenedModel, type OpenOptions } from './open/open-model.js';
export { encodeOnnxModel, type ImageLayout, type OnnxOptions } from './onnx/to-onnx.js';
export { modelPlugins, type ModelPlugin } from './plugins.js';
export { loadStateDict, loadWeights, type LoadedWeights, type LoadOptions } from './weights/load.js';
export { readWeightsFile, type WeightsFile } from './weights/read.js';
export { requireWhole } from './require-whole.js';
export { encodeWeights, exportedFacts, saveWeights } from './weights/save.js';
export { stateDictEntries, type Entry, type Layout } from './weights/layout.js';
export { zooGoldenGraph, type ZooArchitecture } from './zoo/golden-graph.js';
export {
  findZooEntry,
  whyNotInZoo,
  zooArchitecture,
  zooEntries,
  zooFile,
  zooPath,
  type ZooEntry,
} from './zoo/table.js';
export { toStateDict } from './weights/state-dict.js';
