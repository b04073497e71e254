import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { OnnxValue } from '@bulwark/core';
import { activation } from './activations.js';
import { notInOnnx, type LayerUse, type StockLayer, type TensorGraph } from './layer-use.js';
import { layerWriters } from './layer-writers.js';

const shapeOf = ({ shape }: SymbolicTensor) => shape.slice(1) as number[];

/** Does the layer end in a softmax, which an export of logits leaves out? */
const endsInSoftmax = (layer: StockLayer): boolean =>
  layer.getClassName() === 'Softmax' || layer.getConfig()['activation'] === 'softmax';

/**
 * Writes what a tensor of a model is computed from. Images are `[batch, channels, height, width]` throughout.
 * @param given values of tensors that are known
 */
function writeTensor(
  tensor: SymbolicTensor,
  given: Map<number, OnnxValue>,
  at: { readonly graph: TensorGraph; readonly isOutput: boolean },
): OnnxValue {
  const known = given.get(tensor.id);
  if (known !== undefined) return known;
  const { graph, isOutput } = at;
  const layer = tensor.sourceLayer as unknown as StockLayer;
  const { inputTensors } = layer.inboundNodes[tensor.nodeIndex]!;
  const inputs = inputTensors.map((input) => writeTensor(input, given, { graph, isOutput: false }));
  const value = writeLayer(
    { layer, inputs, shapes: inputTensors.map(shapeOf), graph },
    { isOutput, output: tensor.outputTensorIndex ?? 0 },
  );
  given.set(tensor.id, value);
  return value;
}

function writeLayer(use: LayerUse, { isOutput, output }: { isOutput: boolean; output: number }): OnnxValue {
  const { layer, inputs, graph } = use;
  if (layer.layers) {
    const within = new Map(layer.inputs!.map(({ id }, i) => [id, inputs[i]!]));
    return writeTensor(layer.outputs![output]!, within, { graph, isOutput });
  }
  const className = layer.getClassName();
  const writer = layerWriters[className];
  if (!writer) throw notInOnnx(layer, `layers of class ${className} cannot be written as ONNX`);
  const logits = isOutput && endsInSoftmax(layer);
  if (logits && (className === 'Softmax' || className === 'Activation')) return inputs[0]!;
  const value = writer(use);
  const name = layer.getConfig()['activation'];
  if (typeof name !== 'string' || className === 'Activation' || logits) return value;
  return activation(name, value, use);
}

/**
 * A layers model as operators of ONNX; a softmax at its end is left out, as in classifiers.
 * @throws BulwarkError MODEL_INVALID, naming the layer and what of it ONNX files of ours cannot have
 */
export function layersOnnx(model: LayersModel, graph: TensorGraph, images: OnnxValue): OnnxValue {
  const given = new Map([[model.inputs[0]!.id, images]]);
  return writeTensor(model.outputs[0]!, given, { graph, isOutput: true });
}
