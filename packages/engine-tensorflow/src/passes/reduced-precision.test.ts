import { afterAll, describe, expect, it } from '@jest/globals';
import {
  createNetwork,
  createRandom,
  crossEntropy,
  inputGradient,
  logitGradients,
  logitsOf,
  networkGraph,
  useEngine,
  type Network,
  type NetworkGraph,
} from '@bulwark/core';
import { withComputeDtype } from '@bulwark/core/classifier';
import * as tf from '@tensorflow/tfjs-core';
import { goldenGraph, mlp } from '@bulwark/models';
import { loadTensorflow, tensorflow } from '../index.js';

const load = await loadTensorflow();
const modes = ['eval', 'batch'] as const;

const networkOf = (graph: NetworkGraph): Network =>
  createNetwork(graph, { name: 'test', random: createRandom(7, 'weights') });
const imagesOf = ({ inputShape }: NetworkGraph, seed = 3): tf.Tensor4D =>
  tf.randomUniform([8, ...inputShape], 0, 1, 'float32', seed);
const labels = Int32Array.from({ length: 8 }, (_, i) => i % 10);

type Numbers = ArrayLike<number>;
type Dtype = 'float32' | 'bfloat16';
const loss = (logits: tf.Tensor2D) => crossEntropy(logits, tf.tensor1d(labels, 'int32'));
const logitsIn = (dtype: Dtype, network: Network, images: tf.Tensor4D, mode: 'eval' | 'batch'): Numbers =>
  tf.tidy(() => logitsOf(withComputeDtype(network, dtype), images, mode).dataSync());
const gradientIn = (dtype: Dtype, network: Network, images: tf.Tensor4D, mode: 'eval' | 'batch'): Numbers =>
  tf.tidy(() => inputGradient(network, images, { loss, mode, computeDtype: dtype }).gradient.dataSync());
const reducible = (network: Network) => network.dtypes!().includes('bfloat16');

function cosineSimilarity(a: Numbers, b: Numbers): number {
  let [product, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    left += a[i]! ** 2;
    right += b[i]! ** 2;
  }
  return product / Math.sqrt(left * right);
}

/** Feature maps of odd size with odd channels, which leave the forward pass one by one, not in pairs. */
const odd = (): NetworkGraph =>
  networkGraph([5, 5, 3], (g) => {
    const stem = g.relu(g.batchNorm('bn', g.conv('stem', g.input, { filters: 3, kernel: 3 })));
    const next = g.relu(g.conv('next', stem, { filters: 5, kernel: 3, stride: 2, bias: true }));
    return g.linear('fc', g.flatten(g.relu(g.add(next, next))), { units: 10 });
  });

const graphs: Readonly<Record<string, () => NetworkGraph>> = {
  'small-cnn': () => goldenGraph('small-cnn'),
  'resnet18, narrow': () => goldenGraph('resnet18_w4'),
  'preactresnet18, narrow': () => goldenGraph('preactresnet18_w4'),
  'wrn-10-1': () => goldenGraph('wrn-10-1'),
  'vgg11, narrow': () => goldenGraph('vgg11_w4'),
  'odd sizes': odd,
};

// asked for whatever the processor has, since the numbers are the same; a library may still have no kernels for it
process.env['BULWARK_BFLOAT16'] = '1';
afterAll(() => void delete process.env['BULWARK_BFLOAT16']);
const compiles = load.available && !load.engine.gpu;
if (compiles) await useEngine('tensorflow', { engines: [tensorflow] });
const reduces = compiles && reducible(networkOf(goldenGraph('small-cnn')));
if (compiles && !reduces) console.warn('this TensorFlow convolves nothing in bfloat16 here: its tests are skipped');
const whenReduced = reduces ? it : it.skip;

describe('passes in bfloat16', () => {
  for (const [name, graphOf] of Object.entries(graphs))
    whenReduced(`give about the logits and the direction of the gradient of ${name}`, () => {
      const network = networkOf(graphOf());
      const images = imagesOf(network.graph);
      expect(reducible(network)).toBe(true);
      for (const mode of modes) {
        const [logits, gradient] = [logitsIn, gradientIn].map((of) => of('float32', network, images, mode));
        const [reducedLogits, reducedGradient] = [logitsIn, gradientIn].map((of) =>
          of('bfloat16', network, images, mode),
        );
        // 8 binary digits, so a few tenths of a per cent in each layer
        expect(cosineSimilarity(reducedLogits!, logits!)).toBeGreaterThan(0.9995);
        expect(cosineSimilarity(reducedGradient!, gradient!)).toBeGreaterThan(0.9);
        expect(Array.from(reducedGradient!)).not.toEqual(Array.from(gradient!));
        // all else stays as exact as before
        expect(Array.from(logitsIn('float32', network, images, mode))).toEqual(Array.from(logits!));
        expect(Array.from(gradientIn('float32', network, images, mode))).toEqual(Array.from(gradient!));
      }
      images.dispose();
      network.dispose();
    });

  whenReduced('follow the weights', () => {
    const network = networkOf(goldenGraph('resnet18_w4'));
    const images = imagesOf(network.graph);
    const before = Array.from(logitsIn('bfloat16', network, images, 'eval'));
    for (const variable of network.parameters.values()) tf.tidy(() => variable.assign(tf.mul(variable, 1.1)));
    const after = logitsIn('bfloat16', network, images, 'eval');
    expect(Array.from(after)).not.toEqual(before);
    expect(cosineSimilarity(after, logitsIn('float32', network, images, 'eval'))).toBeGreaterThan(0.9995);
  });

  whenReduced('go side by side and may be kept, without leaks', () => {
    const network = networkOf(goldenGraph('wrn-10-1'));
    const points = [3, 4].map((seed) => imagesOf(network.graph, seed)) as [tf.Tensor4D, tf.Tensor4D];
    for (const mode of modes) {
      const alone = points.map((images) => logitsIn('bfloat16', network, images, mode));
      const gradients = points.map((images) => gradientIn('bfloat16', network, images, mode));
      const tensors = tf.memory().numTensors;
      tf.tidy(() => {
        const pass = network.pass(points, { mode, wrt: 'images', computeDtype: 'bfloat16' });
        const { dLogits } = logitGradients(pass.logits, (a, b) => tf.add(loss(a!), loss(b!)));
        for (const keep of [true, false]) {
          const { images } = pass.pullback(dLogits, { keep });
          for (const at of [0, 1]) {
            expect(cosineSimilarity(pass.logits[at]!.dataSync(), alone[at]!)).toBeGreaterThan(0.9999);
            expect(cosineSimilarity(images[at]!.dataSync(), gradients[at]!)).toBeGreaterThan(0.999);
          }
        }
        pass.dispose();
      });
      expect(tf.memory().numTensors).toBe(tensors);
    }
  });

  (compiles && !reduces ? it : it.skip)('are made in float32 where the library has no kernels for them', () => {
    const network = networkOf(goldenGraph('small-cnn'));
    const images = imagesOf(network.graph);
    const exact = Array.from(gradientIn('float32', network, images, 'eval'));
    expect(Array.from(gradientIn('bfloat16', network, images, 'eval'))).toEqual(exact);
  });

  whenReduced('are not made where there is nothing to compute in bfloat16', () => {
    const network = networkOf(mlp({ inputShape: [6, 5, 2], classes: 10, width: 12, depth: 2 }));
    expect(reducible(network)).toBe(false);
  });
});
