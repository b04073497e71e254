import * as tf from '@tensorflow/tfjs-core';
import type { Random } from '../random.js';
import type { NetworkGraph, Node } from './graph.js';

interface Variables {
  readonly parameters: Map<string, tf.Variable>;
  readonly statistics: Map<string, tf.Variable>;
}

/** PyTorch's default for convolutions and linear layers, weights and biases: U(-1/sqrt(fanIn), 1/sqrt(fanIn)). */
const uniformFanIn = (random: Random, shape: number[], fanIn: number): tf.Tensor =>
  random.uniform(shape, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));

/** Wide ResNet's: N(0, 2 / (k k out)). */
const normalFanOut = (random: Random, shape: number[], fanOut: number): tf.Tensor =>
  tf.tidy(() => tf.mul(random.normal(shape), Math.sqrt(2 / fanOut)));

/**
 * The variables of a graph with their initial values, drawn in node order. Kernels are HWIO, linear kernels `[in, out]`;
 * BatchNorm starts at weight 1, bias 0, running mean 0, running variance 1.
 */
export function initialParameters(graph: NetworkGraph, random: Random): Variables {
  const parameters = new Map<string, tf.Variable>();
  const statistics = new Map<string, tf.Variable>();
  const own = (value: tf.Tensor, trainable: boolean) => {
    const variable = tf.variable(value, trainable);
    value.dispose();
    return variable;
  };
  const add = (name: string, value: tf.Tensor) => parameters.set(name, own(value, true));

  const initialise = (node: Node) => {
    if (node.op === 'conv') {
      const channels = graph.shapes[node.input]!.at(-1)!;
      const shape = [node.kernel, node.kernel, channels, node.filters];
      const [fanIn, fanOut] = [node.kernel ** 2 * channels, node.kernel ** 2 * node.filters];
      add(
        `${node.name}.weight`,
        node.init === 'normal-fan-out' ? normalFanOut(random, shape, fanOut) : uniformFanIn(random, shape, fanIn),
      );
      if (node.bias) add(`${node.name}.bias`, uniformFanIn(random, [node.filters], fanIn));
    } else if (node.op === 'linear') {
      const features = graph.shapes[node.input]![0]!;
      add(`${node.name}.weight`, uniformFanIn(random, [features, node.units], features));
      add(`${node.name}.bias`, node.zeroBias ? tf.zeros([node.units]) : uniformFanIn(random, [node.units], features));
    } else if (node.op === 'batch-norm') {
      const channels = graph.shapes[node.input]!.at(-1)!;
      add(`${node.name}.weight`, tf.ones([channels]));
      add(`${node.name}.bias`, tf.zeros([channels]));
      statistics.set(`${node.name}.running_mean`, own(tf.zeros([channels]), false));
      statistics.set(`${node.name}.running_var`, own(tf.ones([channels]), false));
    }
  };
  graph.nodes.forEach(initialise);
  return { parameters, statistics };
}
