// Two ways to bring a model: layers of TensorFlow.js as they are, or Bulwark's graph of layers.
import { classifierOfLayers, createNetwork, defineModel, integer, networkGraph } from '@bulwark/core';
import * as tfl from '@bulwark/core/tfjs-layers';

/** Any layers model of images: BatchNormalization gets its three modes, a softmax at the end is left out. */
export const myLayers = defineModel({
  name: 'my-layers',
  summary: 'A layers model of my own.',
  options: { units: integer({ min: 1 }).default(32).describe('units of the hidden layer') },
  create({ units }, { inputShape, classNames, random }) {
    // checkpoints find weights by layer names: name the layers, as the numbers that tfjs-layers makes up may change
    // initialisers take a seed: draw it, so that the run stays repeatable
    const kernelInitializer = () => tfl.initializers.heNormal({ seed: random('initialisation').integer(2 ** 30) });
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({
          name: 'conv',
          inputShape: [...inputShape],
          filters: 8,
          kernelSize: 3,
          strides: 2,
          kernelInitializer: kernelInitializer(),
        }),
        tfl.layers.batchNormalization({ name: 'bn' }),
        tfl.layers.reLU(),
        tfl.layers.flatten(),
        tfl.layers.dense({ name: 'hidden', units, activation: 'relu', kernelInitializer: kernelInitializer() }),
        tfl.layers.dense({ name: 'fc', units: classNames.length, kernelInitializer: kernelInitializer() }),
      ],
    });
    return classifierOfLayers(model, { name: 'my-layers' });
  },
});

/** A residual block in Bulwark's own graph: PyTorch's padding, initialisation and weight names. */
export const myResidual = defineModel({
  name: 'my-residual',
  summary: 'One residual block and a linear layer.',
  options: { width: integer({ min: 1 }).default(8).describe('channels') },
  create({ width }, { inputShape, classNames, random }) {
    const graph = networkGraph([...inputShape], (g) => {
      const stem = g.relu(g.batchNorm('bn1', g.conv('conv1', g.input, { filters: width, kernel: 3, stride: 2 })));
      const block = g.batchNorm('bn2', g.conv('conv2', stem, { filters: width, kernel: 3 }));
      return g.linear('fc', g.globalAveragePool(g.relu(g.add(block, stem))), { units: classNames.length });
    });
    return createNetwork(graph, { name: 'my-residual', random: random('initialisation') });
  },
});
