import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Network, StockLayer } from '@bulwark/core';
import { inputsOf, layerOf, stockName } from '@bulwark/core/network';
import { requireWhole } from '../require-whole.js';

type Symbolic = ReturnType<typeof tfl.input>;

/**
 * The network as a TensorFlow.js Layers model of stock layers only, in inference form: the running statistics are its moving
 * averages. It takes images `[batch, h, w, c]` float32 in [0, 1] and returns logits `[batch, classes]` (no softmax). It owns copies of
 * the weights; dispose it after use.
 * @throws BulwarkError MODEL_INVALID if functions are around the network
 */
export function toLayersModel(network: Network): tfl.LayersModel {
  requireWhole(network);
  const value = (name: string) => (network.parameters.get(name) ?? network.statistics.get(name))!;
  const outputs: Symbolic[] = [];
  const placed: StockLayer[] = [];
  for (const node of network.graph.nodes) {
    if (node.op === 'input') {
      outputs.push(tfl.input({ shape: [...network.inputShape], name: 'image' }));
      continue;
    }
    const inputs = inputsOf(node).map((id) => outputs[id]!);
    let at: Symbolic | Symbolic[] = inputs.length === 1 ? inputs[0]! : inputs;
    for (const part of layerOf(node).stockLayers(node, value)) {
      at = part.layer.apply(at) as Symbolic;
      placed.push(part);
    }
    outputs.push(at as Symbolic);
  }
  const model = tfl.model({ inputs: outputs[0]!, outputs: outputs.at(-1)!, name: stockName(network.name) });
  tf.tidy(() => {
    for (const { layer, weights } of placed) if (weights) layer.setWeights(weights());
  });
  return model;
}
