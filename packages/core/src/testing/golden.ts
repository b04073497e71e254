import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as tf from '../tensor/index.js';
import type { ImageSet, ImageShape } from '../batch.js';
import { createNetwork, logitsOf, type Classifier, type Network } from '../classifier/index.js';
import { BulwarkError } from '../errors.js';
import { networkGraph, type NetworkGraph } from '../network/index.js';
import { createRandom, mulberry32, randomFrom, type Random } from '../random.js';

/** A tensor in a golden file: row-major, images NHWC. */
export interface GoldenTensor {
  readonly shape: number[];
  readonly data: number[];
}

/** Reads `fixtures/attacks/<name>.json.gz`: numbers that the official code of each attack produced. */
export function readGolden<T>(name: string): T {
  const file = new URL(`../../fixtures/attacks/${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as T;
}

/** The stream that the golden runs drew from: tensors are filled channel plane by channel plane. */
export const goldenRandom = (seed: number): Random => randomFrom(mulberry32(seed), { imageOrder: 'nchw' });

/** A classifier of golden files: what follows what (`conv1-bn1-relu-...-global_average-fc`), and the layers by name. */
export interface ToyModel {
  readonly name?: string;
  readonly arch: string;
  readonly layers: Readonly<Record<string, ToyLayer>>;
}

/** A convolution (kernel HWIO, stride, pad), a linear layer (kernel [in, out]) or a BatchNorm. */
interface ToyLayer {
  readonly kernel?: GoldenTensor;
  readonly stride?: number;
  readonly pad?: number;
  /** Values, or false where there are none. */
  readonly bias?: readonly number[] | false;
  readonly gamma?: readonly number[];
  readonly beta?: readonly number[];
  readonly mean?: readonly number[];
  readonly var?: readonly number[];
}

/** The network that a golden file describes, for images of this shape. */
function toyGraph({ arch, layers }: ToyModel, shape: ImageShape): NetworkGraph {
  return networkGraph([...shape], (g) => {
    let x = g.input;
    for (const name of arch.split('-')) {
      const { kernel, stride = 1, pad, gamma, bias } = layers[name] ?? {};
      if (name === 'relu') x = g.relu(x);
      else if (name === 'global_average') x = g.globalAveragePool(x);
      else if (name === 'flatten') x = g.flatten(x);
      else if (gamma) x = g.batchNorm(name, x);
      else if (kernel?.shape.length === 4)
        x = g.conv(name, x, {
          filters: kernel.shape[3]!,
          kernel: kernel.shape[0]!,
          stride,
          ...(pad !== undefined && { padding: pad }),
          bias: Array.isArray(bias),
        });
      else if (kernel?.shape.length === 2) x = g.linear(name, x, { units: kernel.shape[1]! });
      else
        throw new BulwarkError('NUMERICS_MISMATCH', `${name} of ${arch} is not a layer that golden classifiers have`);
    }
    return x;
  });
}

/** The classifier of golden files, by default the small adversarially trained one (16x16x3 images, 10 classes). */
export function toyClassifier(
  model: ToyModel = readGolden<ToyModel>('toy-model'),
  shape: ImageShape = [16, 16, 3],
): Network {
  const network = createNetwork(toyGraph(model, shape), { name: 'toy', random: createRandom(0) });
  const assign = (name: string, values: readonly number[] | false | undefined) => {
    const variable = network.parameters.get(name) ?? network.statistics.get(name);
    if (variable && values) tf.tidy(() => variable.assign(tf.tensor([...values], variable.shape, 'float32')));
  };
  for (const [name, layer] of Object.entries(model.layers)) {
    assign(`${name}.weight`, layer.kernel?.data ?? layer.gamma);
    assign(`${name}.bias`, layer.beta ?? layer.bias);
    assign(`${name}.running_mean`, layer.mean);
    assign(`${name}.running_var`, layer.var);
  }
  return network;
}

interface ToyImages {
  readonly shape: number[];
  readonly base64: string;
  readonly labels: number[];
  readonly logits: number[][];
}

/** The 64 test images of the golden files, with the reference's logits. */
export function toyImages(): ImageSet & { readonly logits: number[][] } {
  const { shape, base64, labels, logits } = readGolden<ToyImages>('toy-images');
  return {
    images: new Uint8Array(Buffer.from(base64, 'base64')),
    labels: Int32Array.from(labels),
    shape: shape.slice(1) as unknown as ImageShape,
    logits,
  };
}

/** The same classifier, after a pass: it keeps weights with BatchNorm in them from then on, and as many tensors as ever. */
export function evaluated<C extends Classifier>(model: C): C {
  tf.tidy(() => logitsOf(model, tf.zeros<tf.Rank.R4>([1, ...model.inputShape])));
  return model;
}
