import * as tf from '@tensorflow/tfjs-core';
import {
  BulwarkError,
  type Classifier,
  type LayersClassifier,
  type ModelContext,
  type Network,
  type OnnxGraph,
  type OnnxValue,
} from '@bulwark/core';
import { encodeOnnx, factsKey, factsToMetadata, onnxOpset } from '@bulwark/core/formats';
import { inputsOf, layerOf } from '@bulwark/core/network';
import { versions } from '@bulwark/core/run';
import { requireWhole } from '../require-whole.js';
import { exportedFacts } from '../weights/save.js';
import { layersOnnx } from './from-layers.js';
import type { TensorGraph } from './layer-use.js';

/** How images are laid out in memory: `[batch, channels, height, width]` or `[batch, height, width, channels]`. */
export type ImageLayout = 'nchw' | 'nhwc';

/** What the file says of itself, and the layout of its input. */
export interface OnnxOptions {
  /** Default `nchw`, as nearly all files of ONNX have it. */
  readonly layout?: ImageLayout;
  readonly context?: ModelContext;
  /** Name of the input; default `images`. Hubs expect `pixel_values`. */
  readonly input?: string;
}

/** The values of a tensor with its axes in another order. */
function valuesOf(tensor: tf.Tensor, order?: readonly number[]): { data: Float32Array; shape: number[] } {
  return tf.tidy(() => {
    const turned = order ? tf.transpose(tensor, [...order]) : tensor;
    return { data: turned.dataSync().slice() as Float32Array, shape: turned.shape };
  });
}

/** Lets a graph take tensors. */
const takingTensors = (graph: OnnxGraph): TensorGraph => ({
  ...graph,
  tensor(name, tensor, order) {
    const { data, shape } = valuesOf(tensor, order);
    return graph.constant(name, data, shape);
  },
});

/** The nodes of a network, one after the other. */
function networkOnnx(
  { graph: { nodes, shapes }, parameters, statistics }: Network,
  graph: OnnxGraph,
  images: OnnxValue,
): OnnxValue {
  const context = { ...takingTensors(graph), value: (name: string) => (parameters.get(name) ?? statistics.get(name))! };
  const values: OnnxValue[] = [];
  for (const node of nodes) {
    const ids = inputsOf(node);
    const inputs = node.op === 'input' ? [images] : ids.map((id) => values[id]!);
    values.push(tf.tidy(() => layerOf(node).onnx(node, inputs, { ...context, shapes: ids.map((id) => shapes[id]!) })));
  }
  return values.at(-1)!;
}

/**
 * A classifier as an ONNX model: input `images` float32 in [0, 1], of any number, output `logits` `[batch, classes]`. Normalisation is
 * inside. The metadata hold the facts of the model under `bulwark.model`, and class names as JSON under `classes`.
 * @throws BulwarkError MODEL_INVALID, naming the layer that ONNX files of ours cannot have
 */
export function encodeOnnxModel(
  classifier: Classifier,
  { layout = 'nchw', context = {}, input = 'images' }: OnnxOptions = {},
): Uint8Array {
  const [height, width, channels] = classifier.inputShape;
  requireWhole(classifier);
  const facts = exportedFacts(classifier, context);
  const names = facts.classNames ?? Array.from({ length: facts.classes }, (_, i) => String(i));
  const about = {
    name: classifier.name,
    input: {
      name: input,
      shape: layout === 'nchw' ? ['batch', channels, height, width] : ['batch', height, width, channels],
    },
    output: { name: 'logits', shape: ['batch', classifier.classes] },
    version: versions()['bulwark'] ?? '',
    text: `Images are float32 in [0, 1], ${layout.toUpperCase()}; the model normalises. Logits of ${names.length} classes; opset ${onnxOpset}.`,
    metadata: { [factsKey]: factsToMetadata(facts)[factsKey], classes: JSON.stringify(names), layout },
  };
  return encodeOnnx(about, (graph, given) => {
    const images = layout === 'nchw' ? given : graph.op('Transpose', [given], { perm: [0, 3, 1, 2] });
    if ('graph' in classifier) return networkOnnx(classifier as Network, graph, images);
    if ('model' in classifier)
      return tf.tidy(() => layersOnnx((classifier as LayersClassifier).model, takingTensors(graph), images));
    throw new BulwarkError('MODEL_INVALID', `${classifier.name} is neither a graph nor a layers model`, {
      hint: 'export it --to safetensors',
    });
  });
}
