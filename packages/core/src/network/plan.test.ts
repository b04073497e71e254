import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../engine/index.js';
import { batchNormEval, conv2d, relu } from '../ops/index.js';
import { createRandom } from '../random.js';
import { networkGraph } from './graph.js';
import { createNetwork, logitGradients, logitsOf, type Network } from '../classifier/index.js';
import { planPass } from './plan.js';

beforeAll(() => useEngine('wasm'));

/** Every way in which layers follow a convolution. */
const graph = networkGraph([8, 8, 3], (build) => {
  const first = build.relu(build.batchNorm('n1', build.conv('c1', build.input, { filters: 6, kernel: 3, bias: true })));
  const second = build.batchNorm('n2', build.conv('c2', first, { filters: 6, kernel: 3 }));
  const joined = build.relu(build.add(second, first));
  // pre-activation: the ReLU has two readers, and convolutions follow normalisation
  const active = build.relu(build.batchNorm('n3', joined));
  const shared = build.conv('c3', active, { filters: 6, kernel: 3 });
  const both = build.add(build.batchNorm('n4', shared), shared);
  const last = build.relu(build.conv('c4', both, { filters: 5, kernel: 3, stride: 2, bias: true }));
  return build.linear('fc', build.globalAveragePool(last), { units: 4 });
});

const sine = (shape: number[], from: number) =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, index) => Math.sin(from + 1.3 * index)),
    shape,
  );

function network(): Network {
  const made = createNetwork(graph, { name: 'test', random: createRandom(3) });
  let seed = 0;
  for (const [name, variable] of [...made.parameters, ...made.statistics]) {
    seed += 1;
    if (!/^n/.test(name)) continue;
    tf.tidy(() => variable.assign(tf.add(tf.mul(sine(variable.shape, seed), 0.4), name.endsWith('mean') ? 0 : 0.8)));
  }
  return made;
}

/** The same logits, layer by layer. */
function written({ parameters, statistics }: Network, images: tf.Tensor4D): tf.Tensor2D {
  const value = (name: string) => (parameters.get(name) ?? statistics.get(name))!;
  const conv = (name: string, x: tf.Tensor4D, stride = 1): tf.Tensor4D =>
    conv2d(x, value(`${name}.weight`) as unknown as tf.Tensor4D, { stride, padding: 1 });
  const norm = (name: string, x: tf.Tensor4D): tf.Tensor4D => {
    const at = (what: string) => value(`${name}.${what}`) as unknown as tf.Tensor1D;
    return batchNormEval(x, {
      gamma: at('weight'),
      beta: at('bias'),
      mean: at('running_mean'),
      variance: at('running_var'),
      epsilon: 1e-5,
    });
  };
  const first = relu(norm('n1', tf.add(conv('c1', images), value('c1.bias'))));
  const active = relu(norm('n3', relu(tf.add(norm('n2', conv('c2', first)), first))));
  const shared = conv('c3', active);
  const last = relu(tf.add(conv('c4', tf.add(norm('n4', shared), shared), 2), value('c4.bias')));
  return tf.add(tf.matMul(tf.mean(last, [1, 2]), value('fc.weight') as tf.Tensor2D), value('fc.bias'));
}

function expectClose(actual: tf.Tensor, expected: tf.Tensor): void {
  const scale = tf.max(tf.abs(expected)).dataSync()[0]!;
  expect(tf.max(tf.abs(tf.sub(actual, expected))).dataSync()[0]! / scale).toBeLessThan(1e-5);
}

describe('a pass in evaluation mode', () => {
  it('folds what a convolution alone feeds, and nothing else', () => {
    const folds = planPass(graph, { fold: true }).flatMap(({ node, norm, relu: rectified }) =>
      node.op === 'conv' ? [[node.name, norm, rectified]] : [],
    );
    expect(folds).toEqual([
      ['c1', 'n1', true],
      ['c2', 'n2', false],
      ['c3', undefined, false],
      ['c4', undefined, true],
    ]);
  });
  it('gives the logits of the layers one by one', () => {
    const net = network();
    const images = sine([5, 8, 8, 3], 0.5) as tf.Tensor4D;
    tf.tidy(() => expectClose(logitsOf(net, images), written(net, images)));
    net.dispose();
    images.dispose();
  });
  it('gives their gradients with respect to the image and to every parameter', () => {
    const net = network();
    const images = sine([5, 8, 8, 3], 0.5) as tf.Tensor4D;
    tf.tidy(() => {
      const loss = (logits: tf.Tensor2D): tf.Scalar => tf.sum(tf.square(tf.sub(logits, [1, -1, 2, 0])));
      const back = (wrt: 'images' | 'all') => {
        const pass = net.pass([images], { mode: 'eval', wrt });
        return pass.pullback(logitGradients(pass.logits, (logits) => loss(logits!)).dLogits);
      };
      const expectedImages = tf.grad((x) => loss(written(net, x as tf.Tensor4D)))(images);
      expectClose(back('images').images[0]!, expectedImages);
      const { images: ours, parameters } = back('all');
      expectClose(ours[0]!, expectedImages);
      const expected = tf.variableGrads(() => loss(written(net, images)), [...net.parameters.values()]).grads;
      for (const [name, { name: key }] of net.parameters) expectClose(parameters.get(name)!, expected[key]!);
    });
    net.dispose();
    images.dispose();
  });
  it('leaves no tensor behind but the folded weights, which go with the network', () => {
    const before = tf.memory().numTensors;
    const net = network();
    const images = sine([5, 8, 8, 3], 0.5) as tf.Tensor4D;
    const without = tf.memory().numTensors;
    for (const mode of ['eval', 'batch', 'eval'] as const) logitsOf(net, images, mode).dispose();
    expect(tf.memory().numTensors).toBe(without + 4); // filters and biases of c1 and c2
    net.dispose();
    images.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
