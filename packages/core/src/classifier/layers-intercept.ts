import * as tf from '../tensor/index.js';
import type { LayersModel } from '../tensor/layers.js';
import { batchNormEval, batchNormTrain } from '../ops/index.js';
import { BulwarkError } from '../errors.js';
import type { LayerStatistics, PassRequest } from '../network/index.js';

/** A weight of a layer: `read` gives its variable. */
interface Weight {
  read(): tf.Tensor;
}
type Call = (inputs: tf.Tensor | tf.Tensor[], kwargs: Record<string, unknown>) => tf.Tensor | tf.Tensor[];

/** What this file touches of stock layers, some of which is not in their public types. */
export interface Layer {
  readonly name: string;
  getClassName(): string;
  getConfig(): Record<string, unknown>;
  call: Call;
  readonly inboundNodes: readonly { readonly inputShapes: readonly (readonly (number | null)[])[] }[];
  readonly gamma?: Weight | null;
  readonly beta?: Weight | null;
  readonly movingMean?: Weight;
  readonly movingVariance?: Weight;
  /** Of a model inside the model. */
  readonly layers?: readonly Layer[];
  readonly outputs?: readonly { readonly sourceLayer: unknown }[];
  activation?: { apply(x: tf.Tensor): tf.Tensor; getClassName(): string };
}

/** The pass that is running, if it is one of the classifier's own. */
export interface Interception {
  pass: { readonly mode: PassRequest['mode']; readonly captured: Map<string, LayerStatistics> | undefined } | undefined;
}

/** Takes an interception back. */
export type Undo = () => void;

/** Layers of a model and of the models inside it. */
export function allLayers(model: LayersModel): Layer[] {
  const inner = (layer: Layer): Layer[] => layer.layers?.flatMap(inner) ?? [layer];
  return (model.layers as unknown as Layer[]).flatMap(inner);
}

const invalid = (message: string, hint: string) => new BulwarkError('MODEL_INVALID', message, { hint });

/** Puts another `call` in front of a layer's own, for this one layer object. */
export function replaceCall(layer: Layer, make: (original: Call) => Call): Undo {
  layer.call = make(layer.call.bind(layer));
  return () => Reflect.deleteProperty(layer, 'call');
}

/** The tensor of a layer with one input. */
export const only = (inputs: tf.Tensor | tf.Tensor[]): tf.Tensor => (Array.isArray(inputs) ? inputs[0]! : inputs);

/** Lets a BatchNormalization layer do what the running pass asks for. */
export function interceptBatchNorm(layer: Layer, current: Interception): Undo {
  const { axis, epsilon } = layer.getConfig() as { axis: number; epsilon: number };
  const mean = () => layer.movingMean!.read() as tf.Tensor1D;
  const channels = mean().size;
  const rank = layer.inboundNodes[0]!.inputShapes[0]!.length;
  if (axis !== -1 && axis !== rank - 1)
    throw invalid(`layer ${layer.name} normalises axis ${axis}`, 'normalise the last axis, the channels');
  return replaceCall(layer, (original) => (inputs, kwargs) => {
    const { pass } = current;
    if (!pass) return original(inputs, kwargs);
    const x = only(inputs) as tf.Tensor4D;
    const gamma = (layer.gamma?.read() ?? tf.ones([channels])) as tf.Tensor1D;
    const beta = (layer.beta?.read() ?? tf.zeros([channels])) as tf.Tensor1D;
    if (pass.mode === 'eval')
      return batchNormEval(x, {
        gamma,
        beta,
        mean: mean(),
        variance: layer.movingVariance!.read() as tf.Tensor1D,
        epsilon,
      });
    const batch = batchNormTrain(x, gamma, beta, epsilon);
    if (pass.captured?.has(layer.name))
      throw invalid(`layer ${layer.name} is used twice`, 'give each use its own BatchNormalization layer');
    const count = x.size / channels;
    pass.captured?.set(layer.name, {
      mean: tf.keep(batch.mean),
      variance: tf.keep(batch.variance),
      count,
      bessel: count > 1 ? count / (count - 1) : 1,
    });
    return batch.y;
  });
}

/** The layer that makes the output, inside nested models too. */
function outputLayer(model: Pick<Layer, 'outputs'>): Layer {
  const layer = model.outputs![0]!.sourceLayer as Layer;
  return layer.layers ? outputLayer(layer) : layer;
}

/** Leaves out a softmax at the end during the classifier's passes: losses and attacks start from logits. */
export function interceptOutput(model: LayersModel, current: Interception): Undo {
  const layer = outputLayer(model);
  const { activation = layer.getClassName() === 'Softmax' ? 'softmax' : 'linear' } = layer.getConfig() as {
    activation?: string;
  };
  if (activation === 'linear') return () => undefined;
  if (activation !== 'softmax')
    throw invalid(
      `the layers model ends with ${activation} in layer ${layer.name}`,
      'end it with a linear layer of one unit per class; a softmax is left out for you',
    );
  if (!layer.activation || layer.getClassName() === 'Activation')
    return replaceCall(
      layer,
      (original) => (inputs, kwargs) => (current.pass ? tf.clone(only(inputs)) : original(inputs, kwargs)),
    );
  return replaceCall(layer, (original) => (inputs, kwargs) => {
    if (!current.pass) return original(inputs, kwargs);
    const softmax = layer.activation!;
    layer.activation = { apply: (x) => x, getClassName: () => 'linear' };
    try {
      return original(inputs, kwargs);
    } finally {
      layer.activation = softmax;
    }
  });
}
