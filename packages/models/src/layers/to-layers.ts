import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Network, Node } from '@bulwark/core';

/** A layer of the exported model with the weights that go into it, in the layer's order. */
interface Placed {
  readonly layer: Pick<ReturnType<typeof tfl.layers.dense>, 'apply' | 'setWeights'>;
  readonly weights: () => tf.Tensor[];
}

type Symbolic = ReturnType<typeof tfl.input>;

/** PyTorch's dots are separators to other tools. */
const layerName = (name: string) => name.replaceAll('.', '_');

/** The stock layers that one node becomes; a padded convolution becomes two. */
function stockLayers(network: Network, node: Node): Placed[] {
  const value = (name: string) => (network.parameters.get(name) ?? network.statistics.get(name))!;
  const plain = (layer: Placed['layer']): Placed => ({ layer, weights: () => [] });
  switch (node.op) {
    case 'input':
      return [];
    case 'normalize': {
      // a BatchNormalization that never saw data: (x - mean) * (1 / std)
      const ones = node.mean.map(() => 1);
      const layer = tfl.layers.batchNormalization({ name: 'normalize', epsilon: 0, center: false });
      const gamma = node.std.map((std) => 1 / std);
      return [
        {
          layer,
          weights: () => [tf.tensor1d(gamma), tf.tensor1d([...node.mean]), tf.tensor1d(ones)],
        },
      ];
    }
    case 'conv': {
      const { name, filters, kernel, stride, padding, bias } = node;
      // padding 'same' of TensorFlow pads strided convolutions on other sides than PyTorch
      const pad = plain(tfl.layers.zeroPadding2d({ name: `${layerName(name)}_pad`, padding }));
      const layer = tfl.layers.conv2d({
        name: layerName(name),
        filters,
        kernelSize: kernel,
        strides: stride,
        padding: 'valid',
        useBias: bias,
      });
      const weights = () => [value(`${name}.weight`), ...(bias ? [value(`${name}.bias`)] : [])];
      return [...(padding > 0 ? [pad] : []), { layer, weights }];
    }
    case 'batch-norm': {
      // Keras counts momentum the other way round
      const layer = tfl.layers.batchNormalization({ name: layerName(node.name), epsilon: 1e-5, momentum: 0.9 });
      const parts = ['weight', 'bias', 'running_mean', 'running_var'];
      return [{ layer, weights: () => parts.map((part) => value(`${node.name}.${part}`)) }];
    }
    case 'relu':
      return [plain(tfl.layers.reLU())];
    case 'add':
      return [plain(tfl.layers.add())];
    case 'max-pool':
      return [plain(tfl.layers.maxPooling2d({ poolSize: node.size, strides: node.size, padding: 'valid' }))];
    case 'global-average-pool':
      return [plain(tfl.layers.globalAveragePooling2d({}))];
    case 'flatten':
      return [plain(tfl.layers.flatten())];
    case 'linear': {
      const layer = tfl.layers.dense({ name: layerName(node.name), units: node.units });
      return [{ layer, weights: () => [value(`${node.name}.weight`), value(`${node.name}.bias`)] }];
    }
  }
}

const inputsOf = (node: Node, outputs: readonly Symbolic[]): Symbolic[] => {
  if (node.op === 'input') return [];
  return node.op === 'add' ? [outputs[node.input]!, outputs[node.other]!] : [outputs[node.input]!];
};

/**
 * The network as a TensorFlow.js Layers model of stock layers only, in inference form: the running statistics are its moving
 * averages. It takes images `[batch, h, w, c]` float32 in [0, 1] and returns logits `[batch, classes]` (no softmax). It owns copies of
 * the weights; dispose it after use.
 */
export function toLayersModel(network: Network): tfl.LayersModel {
  const outputs: Symbolic[] = [];
  const placed: Placed[] = [];
  for (const node of network.graph.nodes) {
    if (node.op === 'input') {
      outputs.push(tfl.input({ shape: [...network.inputShape], name: 'image' }));
      continue;
    }
    let at: Symbolic | Symbolic[] = inputsOf(node, outputs);
    if (at.length === 1) at = at[0]!;
    for (const part of stockLayers(network, node)) {
      at = part.layer.apply(at) as Symbolic;
      placed.push(part);
    }
    outputs.push(at as Symbolic);
  }
  const model = tfl.model({ inputs: outputs[0]!, outputs: outputs.at(-1)!, name: layerName(network.name) });
  tf.tidy(() => {
    for (const { layer, weights } of placed) {
      const values = weights();
      if (values.length > 0) layer.setWeights(values);
    }
  });
  return model;
}
