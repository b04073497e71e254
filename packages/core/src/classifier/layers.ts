import * as tf from '../tensor/index.js';
import type { LayersModel } from '../tensor/layers.js';
import type { ImageShape } from '../batch.js';
import { BulwarkError } from '../errors.js';
import type { LayerStatistics, PassRequest } from '../network/index.js';
import { guarded, requirePossible } from './checks.js';
import type { Classifier } from './classifier.js';
import { interceptGradients } from './layers-gradients.js';
import { layersPass } from './layers-pass.js';
import { allLayers, interceptBatchNorm, interceptOutput, type Interception, type Layer } from './layers-intercept.js';
import { refuseUnheeded } from './layers-refusals.js';
import { updateRunningStatistics } from './running-statistics.js';

/** A classifier around a user's own layers model. */
export interface LayersClassifier extends Classifier {
  readonly model: LayersModel;
}

const invalid = (message: string, hint: string) => new BulwarkError('MODEL_INVALID', message, { hint });

/** The variable behind a layer's weight; tfjs-layers keeps it to itself, but gradients need it. */
const variableOf = (weight: unknown): tf.Variable => (weight as { val: tf.Variable }).val;

function shapesOf(model: LayersModel): { inputShape: ImageShape; classes: number } {
  if (model.inputs.length !== 1 || model.outputs.length !== 1)
    throw invalid(
      `the layers model has ${model.inputs.length} inputs and ${model.outputs.length} outputs`,
      'a classifier has one image as input and one row of logits as output',
    );
  const [, ...image] = model.inputs[0]!.shape;
  const [, ...logits] = model.outputs[0]!.shape;
  if (image.length !== 3 || image.some((n) => n === null))
    throw invalid(`the layers model takes [${image.join(', ')}]`, 'give its input the shape [height, width, channels]');
  if (logits.length !== 1 || logits[0] === null)
    throw invalid(`the layers model returns [${logits.join(', ')}]`, 'end it with a dense layer of one unit per class');
  return { inputShape: image as unknown as ImageShape, classes: logits[0]! };
}

function parametersOf(model: LayersModel): Map<string, tf.Variable> {
  const weights = model.trainableWeights;
  const unique = new Set(weights.map(({ originalName }) => originalName)).size === weights.length;
  return new Map(weights.map((weight) => [unique ? weight.originalName : weight.name, variableOf(weight)]));
}

function statisticsOf(layers: readonly Layer[]): Map<string, tf.Variable> {
  return new Map(
    layers.flatMap((layer) => [
      [`${layer.name}.running_mean`, variableOf(layer.movingMean)] as const,
      [`${layer.name}.running_var`, variableOf(layer.movingVariance)] as const,
    ]),
  );
}

/**
 * Any layers model of images as a classifier. Its BatchNormalization layers get the three modes, with their own epsilon and
 * PyTorch's update of the running statistics; a softmax at the end is left out, because losses start from logits; dropout is off, because
 * it draws from a generator that cannot be seeded. Outside of this classifier's passes the model stays what it was.
 * @throws BulwarkError MODEL_INVALID
 * @example
 * ```ts
 * import { layers, sequential } from '@bulwark/core/tfjs-layers';
 * const model = classifierOfLayers(
 *   sequential({
 *     layers: [
 *       layers.flatten({ inputShape: [2, 2, 1] }),
 *       layers.dense({ units: 3, activation: 'softmax', name: 'fc' }),
 *     ],
 *   }),
 * );
 * model.classes; // => 3
 * // the softmax is left out: an image of zeros gives the biases, which are 0
 * logitsOf(model, tf.zeros([1, 2, 2, 1])); // => [[0, 0, 0]]
 * ```
 * @category Networks and passes
 */
export function classifierOfLayers(model: LayersModel, options: { name?: string } = {}): LayersClassifier {
  const { inputShape, classes } = shapesOf(model);
  const layers = allLayers(model);
  layers.forEach(refuseUnheeded);
  const normalising = layers.filter((layer) => layer.getClassName() === 'BatchNormalization');
  const current: Interception = { pass: undefined };
  const restore = [
    ...normalising.map((layer) => interceptBatchNorm(layer, current)),
    ...layers.map((layer) => interceptGradients(layer, current)),
    interceptOutput(model, current),
  ];
  const parameters = parametersOf(model);
  const statistics = statisticsOf(normalising);

  const run = (
    images: tf.Tensor4D,
    mode: PassRequest['mode'],
    captured?: Map<string, LayerStatistics>,
  ): tf.Tensor2D => {
    const before = current.pass;
    current.pass = { mode, captured };
    try {
      return tf.tidy(() => model.apply(images, { training: false }) as tf.Tensor2D);
    } finally {
      current.pass = before;
    }
  };
  return {
    name: options.name ?? model.name,
    model,
    inputShape,
    classes,
    parameters,
    statistics,
    pass(images, request) {
      requirePossible(images, request, { inputShape });
      return guarded(layersPass(images, request, { run, parameters }), request);
    },
    taped: run,
    applyStatistics: (batch, momentum) => updateRunningStatistics(statistics, batch, momentum),
    dispose() {
      for (const undo of restore) undo();
      model.dispose();
    },
  };
}
