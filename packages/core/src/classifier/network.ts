import * as tf from '@tensorflow/tfjs-core';
import { batchNormEval, batchNormTrain, conv2d, conv2dBias, relu, spatialMean } from '../engine/ops/index.js';
import type { ArchitectureSpec } from '../formats/index.js';
import type { Random } from '../random.js';
import { disposeStatistics, type Classifier, type LayerStatistics, type Mode } from './classifier.js';
import { compiledPasses } from './compiled.js';
import { capturesSideBySide, passesSideBySide } from './forward-each.js';
import type { NetworkGraph, Node } from './graph.js';
import { initialParameters } from './initialise.js';
import { planPass, type Step } from './plan.js';
import { updateRunningStatistics } from './running-statistics.js';

/** PyTorch's BatchNorm epsilon. */
const epsilon = 1e-5;

/** A classifier made of a graph of layers, with its own variables and the three normalisation modes. */
export interface Network extends Classifier {
  readonly graph: NetworkGraph;
}

/**
 * Makes a classifier of a graph.
 * @param options.architecture plugin and options, for whoever writes the weights to a file
 * @param options.random draws the initial weights in parameter order
 */
export function createNetwork(
  graph: NetworkGraph,
  options: { name: string; random: Random; architecture?: ArchitectureSpec },
): Network {
  const { parameters, statistics } = initialParameters(graph, options.random);

  const value = (name: string): tf.Tensor => (parameters.get(name) ?? statistics.get(name))!;

  const normalise = (node: Node & { op: 'batch-norm' }, x: tf.Tensor4D, pass: Pass): tf.Tensor => {
    const gamma = value(`${node.name}.weight`) as tf.Tensor1D;
    const beta = value(`${node.name}.bias`) as tf.Tensor1D;
    if (pass.mode === 'eval')
      return batchNormEval(x, {
        gamma,
        beta,
        mean: value(`${node.name}.running_mean`) as tf.Tensor1D,
        variance: value(`${node.name}.running_var`) as tf.Tensor1D,
        epsilon,
      });
    const { y, mean, variance } = batchNormTrain(x, gamma, beta, epsilon);
    pass.captured?.set(node.name, {
      mean: tf.keep(mean),
      variance: tf.keep(variance),
      count: x.size / x.shape.at(-1)!,
    });
    return y;
  };

  /**
   * A convolution with the BatchNorm that follows it in its weights: s (w x + b - mean) + beta, s = gamma / sqrt(var + epsilon).
   * The weights are computed on the tape, so gradients reach all parameters.
   */
  const convolveFolded = (
    node: Node & { op: 'conv' },
    { norm, relu: rectify = false }: Step,
    pass: Pass,
  ): tf.Tensor => {
    const x = pass.outputs[node.input] as tf.Tensor4D;
    const filter = value(`${node.name}.weight`) as tf.Tensor4D;
    const own = node.bias ? value(`${node.name}.bias`) : undefined;
    const options = { stride: node.stride, padding: node.padding, relu: rectify };
    if (norm === undefined)
      return conv2dBias(x, { filter, bias: (own ?? tf.zeros([node.filters])) as tf.Tensor1D }, options);
    const scale = tf.mul(value(`${norm}.weight`), tf.rsqrt(tf.add(value(`${norm}.running_var`), epsilon)));
    const mean = value(`${norm}.running_mean`);
    const bias = tf.add(tf.mul(own ? tf.sub(own, mean) : tf.neg(mean), scale), value(`${norm}.bias`)) as tf.Tensor1D;
    return conv2dBias(x, { filter: tf.mul(filter, scale), bias }, options);
  };

  const apply = (node: Node, images: tf.Tensor4D, pass: Pass): tf.Tensor => {
    const at = (id: number) => pass.outputs[id]!;
    switch (node.op) {
      case 'input':
        return images;
      case 'normalize':
        return tf.div(tf.sub(at(node.input), tf.tensor1d([...node.mean])), tf.tensor1d([...node.std]));
      case 'conv': {
        const y = conv2d(at(node.input) as tf.Tensor4D, value(`${node.name}.weight`) as tf.Tensor4D, node);
        return node.bias ? tf.add(y, value(`${node.name}.bias`)) : y;
      }
      case 'batch-norm':
        return normalise(node, at(node.input) as tf.Tensor4D, pass);
      case 'relu':
        return relu(at(node.input));
      case 'add':
        return tf.add(at(node.input), at(node.other));
      case 'max-pool':
        return tf.maxPool(at(node.input) as tf.Tensor4D, node.size, node.size, 'valid');
      case 'global-average-pool':
        return spatialMean(at(node.input) as tf.Tensor4D);
      case 'flatten':
        return tf.reshape(at(node.input), [images.shape[0], -1]);
      case 'linear':
        return tf.add(
          tf.matMul(at(node.input) as tf.Tensor2D, value(`${node.name}.weight`) as tf.Tensor2D),
          value(`${node.name}.bias`),
        );
    }
  };

  const plain = planPass(graph, { fold: false });
  const folded = planPass(graph, { fold: true });

  const run = (images: tf.Tensor4D, mode: Mode, captured?: Map<string, LayerStatistics>): tf.Tensor2D =>
    tf.tidy(() => {
      const pass: Pass = { mode, captured, outputs: [] };
      for (const step of mode === 'eval' ? folded : plain) {
        const { node, id, done } = step;
        const fold = node.op === 'conv' && (step.norm !== undefined || step.relu === true);
        pass.outputs[id] = tf.tidy(() => (fold ? convolveFolded(node, step, pass) : apply(node, images, pass)));
        // what no later step reads is freed at once; the gradient tape holds its own references to what it needs
        for (const read of done) pass.outputs[read]!.dispose();
      }
      return pass.outputs.at(-1) as tf.Tensor2D;
    });

  const compiled = compiledPasses(
    { graph, epsilon, plans: { eval: folded, batch: plain }, parameters: [...parameters.keys()] },
    value,
  );

  const forwardCapturing: Classifier['forwardCapturing'] = (images) => {
    const captured = new Map<string, LayerStatistics>();
    return { logits: run(images, 'batch', captured), statistics: captured };
  };

  const forward: Classifier['forward'] = (images, mode) => {
    if (mode !== 'train') return compiled.forward(images, mode) ?? run(images, mode);
    const { logits, statistics: batch } = forwardCapturing(images);
    updateRunningStatistics(statistics, batch);
    disposeStatistics(batch);
    return logits;
  };
  passesSideBySide(forward, (points, mode) => (mode === 'train' ? undefined : compiled.forwardEach(points, mode)));
  capturesSideBySide(forwardCapturing, compiled.captureEach);

  return {
    name: options.name,
    ...(options.architecture && { architecture: options.architecture }),
    graph,
    inputShape: graph.inputShape,
    classes: graph.shapes.at(-1)![0]!,
    parameters,
    statistics,
    forward,
    forwardCapturing,
    applyStatistics: (batch) => updateRunningStatistics(statistics, batch),
    dispose() {
      compiled.dispose();
      for (const variable of [...parameters.values(), ...statistics.values()]) variable.dispose();
    },
  };
}

interface Pass {
  readonly mode: Mode;
  readonly captured: Map<string, LayerStatistics> | undefined;
  readonly outputs: tf.Tensor[];
}
