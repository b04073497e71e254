import { beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import {
  createNetwork,
  createRandom,
  crossEntropy,
  logitGradients,
  networkGraph,
  surrounded,
  useEngine,
  type Classifier,
  type Network,
  type NetworkGraph,
  type PassRequest,
} from '@bulwark/core';
import { countingClassifier, withComputeDtype } from '@bulwark/core/classifier';
import { enginesOf } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { goldenGraph, mlp } from '@bulwark/models';
import { builtinRegistry } from '../registry.js';

const modes = ['eval', 'batch'] as const;

/** Statistics, scales and shifts as training leaves them: unlike the ones and zeros that hide what is left out. */
function unsettle(network: Network, seed: number): void {
  for (const [name, variable] of [...network.parameters, ...network.statistics]) {
    if (variable.rank > 1) {
      tf.tidy(() => variable.assign(tf.mul(variable, 1 + seed / 20)));
      continue;
    }
    const [low, high] = /running_mean|bias/.test(name) ? [-0.2, 0.2] : [0.5, 1.5];
    tf.tidy(() => variable.assign(tf.randomUniform(variable.shape, low, high, 'float32', seed)));
  }
}

function networkOf(graph: NetworkGraph): Network {
  const network = createNetwork(graph, { name: 'test', random: createRandom(7, 'weights') });
  unsettle(network, 1);
  return network;
}

const imagesOf = ({ inputShape }: NetworkGraph, batch: number, seed = 3): tf.Tensor4D =>
  tf.randomUniform([batch, ...inputShape], 0, 1, 'float32', seed);

/** Small images with so many channels that engines compute convolutions in other ways, with and without BatchNorm and bias. */
const wide = (): NetworkGraph =>
  networkGraph([8, 4, 3], (g) => {
    const stem = g.relu(g.batchNorm('bn', g.conv('stem', g.input, { filters: 256, kernel: 3 })));
    const biased = g.relu(g.conv('biased', stem, { filters: 256, kernel: 3, bias: true }));
    const pooled = g.maxPool(g.add(stem, biased), 2);
    const normed = g.relu(g.batchNorm('bn2', g.conv('normed', pooled, { filters: 288, kernel: 3, bias: true })));
    return g.linear('fc', g.globalAveragePool(normed), { units: 10 });
  });

/** Every layer, with outputs that several read, and padding on one side. */
const everyLayer = (): NetworkGraph =>
  networkGraph([7, 6, 2], (g) => {
    const brought = g.normalize(g.input, { mean: [0.4, 0.5], std: [0.2, 0.3] });
    const stem = g.silu(g.batchNorm('bn1', g.conv('c1', brought, { filters: 4, kernel: 3 })));
    const cut = g.conv('c2', g.pad(stem, { bottom: 1, right: 1 }), { filters: 4, kernel: 3, stride: 2, padding: 0 });
    const both = g.add(cut, g.relu(cut));
    const features = g.flatten(g.maxPool(both, 2));
    const hidden = g.silu(g.batchNorm('bn2', g.linear('fc1', features, { units: 6 })));
    return g.linear('fc2', g.add(hidden, g.relu(hidden)), { units: 10 });
  });

/** The same without corners: where an activation is within rounding of 0, ReLUs of two ways of computing open differently. */
const smooth = (graph: NetworkGraph): NetworkGraph => ({
  ...graph,
  nodes: graph.nodes.map((node) => (node.op === 'relu' ? { ...node, op: 'silu' } : node)),
});

/** Deep enough that some ReLU opens differently. */
const cornered = ['resnet18, narrow', 'preactresnet18, narrow', 'preactresnet18 without final BatchNorm', 'wrn-10-1'];

const graphs: Readonly<Record<string, () => NetworkGraph>> = {
  'small-cnn': () => goldenGraph('small-cnn'),
  'resnet18, narrow': () => goldenGraph('resnet18_w4'),
  'preactresnet18, narrow': () => goldenGraph('preactresnet18_w4'),
  'preactresnet18 without final BatchNorm': () => goldenGraph('preactresnet18_w4_nofinalbn'),
  'wrn-10-1': () => goldenGraph('wrn-10-1'),
  'vgg11, narrow': () => goldenGraph('vgg11_w4'),
  'wide, small images': wide,
  'every layer': everyLayer,
  'resnet18, narrow and smooth': () => smooth(goldenGraph('resnet18_w4')),
  'preactresnet18, narrow and smooth': () => smooth(goldenGraph('preactresnet18_w4')),
  'wrn-10-1, smooth': () => smooth(goldenGraph('wrn-10-1')),
  mlp: () => mlp({ inputShape: [6, 5, 2], classes: 10, width: 12, depth: 2 }),
};

type Numbers = ArrayLike<number>;
const largest = (values: Numbers) => Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const numbersOf = (tensor: tf.Tensor): Numbers => {
  const values = tensor.dataSync().slice();
  tensor.dispose();
  return values;
};

function cosineSimilarity(a: Numbers, b: Numbers): number {
  let [product, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    left += a[i]! ** 2;
    right += b[i]! ** 2;
  }
  return product / Math.sqrt(left * right);
}

/** Relative to the largest value. */
function expectClose(found: Numbers, expected: Numbers, tolerance: number): void {
  expect(found.length).toBe(expected.length);
  const worst = largest(Array.from(found, (value, i) => value - expected[i]!));
  const scale = largest(expected);
  expect(worst).toBeLessThanOrEqual(scale === 0 ? 1e-6 : tolerance * scale);
}

/** Weights that no two batches share, so that gradients of one cannot pass for those of another. */
const lossOf = (...logits: tf.Tensor2D[]): tf.Tensor =>
  tf.addN(
    logits.map((each, at) => {
      const labels = tf.tensor1d(Int32Array.from({ length: each.shape[0] }, (_, i) => i % 10));
      return tf.mul(at + 1, tf.sum(crossEntropy(each, labels)));
    }),
  );

interface Found {
  readonly logits: Numbers[];
  readonly statistics: Numbers[];
  readonly images: Numbers[];
  readonly parameters: ReadonlyMap<string, Numbers>;
}

/** All that a pass gives, its tensors freed. */
function passed(model: Classifier, images: readonly tf.Tensor4D[], request: PassRequest): Found {
  const pass = model.pass(images, request);
  const logits = pass.logits.map((each) => each.dataSync().slice());
  const statistics = pass.statistics.flatMap((each) =>
    [...each.values()].flatMap(({ mean, variance, bessel }) => [
      mean.dataSync().slice(),
      variance.dataSync().map((value) => value * bessel),
    ]),
  );
  const { value, dLogits } = logitGradients(pass.logits, lossOf);
  value.dispose();
  const back = request.wrt === 'nothing' ? { images: [], parameters: new Map() } : pass.pullback(dLogits);
  dLogits.forEach((each) => each?.dispose());
  pass.dispose();
  return {
    ...{ logits, statistics },
    images: back.images.map(numbersOf),
    parameters: new Map([...back.parameters].map(([name, gradient]) => [name, numbersOf(gradient)])),
  };
}

/** The same by TensorFlow.js's tape, through layers in ops of stock TensorFlow.js. */
function taped(
  model: Classifier,
  images: readonly tf.Tensor4D[],
  mode: PassRequest['mode'],
): Omit<Found, 'statistics'> {
  const loss = (...given: tf.Tensor[]) =>
    lossOf(...given.map((each) => model.taped(each as tf.Tensor4D, mode))) as tf.Scalar;
  const logits = images.map((each) => numbersOf(tf.tidy(() => model.taped(each, mode))));
  const { value, grads } = tf.variableGrads(() => loss(...images), [...model.parameters.values()]);
  value.dispose();
  return {
    logits,
    images: tf.tidy(() => tf.grads(loss)([...images])).map(numbersOf),
    parameters: new Map([...model.parameters].map(([name, variable]) => [name, numbersOf(grads[variable.name]!)])),
  };
}

// plain JavaScript goes the eager way that wasm goes, and takes minutes; it is never taken by itself
const engines = enginesOf(builtinRegistry()).filter(({ rank }) => rank !== undefined);
const available = await Promise.all(engines.map(async (engine) => (await engine.probe()).available));

/** Networks of the same layers as the others, for which a software adapter takes minutes each. */
const deep = Object.keys(graphs).filter((name) => /^(pre(act)?)?resnet18|^preactresnet|^wrn/.test(name));

describe.each(engines.map(({ name }, at) => [name, available[at]!] as const))('passes on %s', (name, here) => {
  const test = here ? it : it.skip;
  beforeAll(async () => {
    if (here) await useEngine(name, { engines });
  });

  const tried = Object.entries(graphs).filter(([graph]) => name !== 'webgpu' || !deep.includes(graph));
  test.each(tried)('give what the tape gives: %s', (name, graphOf) => {
    const exact = !cornered.includes(name);
    const network = networkOf(graphOf());
    const tensors = tf.memory().numTensors;
    // of several sizes; more than engines pass side by side
    const images = [5, 6, 5, 3].map((batch, at) => imagesOf(network.graph, batch, 3 + at));
    for (const mode of modes)
      for (const count of [1, 2, 4]) {
        const given = images.slice(0, count);
        const expected = taped(network, given, mode);
        for (const wrt of ['nothing', 'images', 'parameters', 'all'] as const) {
          const found = passed(network, given, { mode, wrt });
          found.logits.forEach((each, at) => expectClose(each, expected.logits[at]!, 1e-5));
          expect(found.images).toHaveLength(wrt === 'images' || wrt === 'all' ? count : 0);
          found.images.forEach((each, at) => {
            if (exact) expectClose(each, expected.images[at]!, 2e-4);
            else expect(cosineSimilarity(each, expected.images[at]!)).toBeGreaterThan(0.99);
          });
          expect(found.statistics).toHaveLength(mode === 'batch' ? (network.statistics.size / 2) * 2 * count : 0);
          if (wrt !== 'parameters' && wrt !== 'all') continue;
          expect([...found.parameters.keys()].sort()).toEqual([...network.parameters.keys()].sort());
          const scale = Math.max(...[...expected.parameters.values()].map(largest));
          for (const [name, gradient] of found.parameters) {
            const own = expected.parameters.get(name)!;
            const off = largest(Array.from(gradient, (value, i) => value - own[i]!));
            // biases before a BatchNorm have no gradient but rounding errors
            expect(off).toBeLessThan(exact ? Math.max(1e-5 * scale, 2e-4 * largest(own)) : 0.05 * scale);
          }
        }
      }
    tf.dispose(images);
    expect(tf.memory().numTensors).toBe(tensors);
    network.dispose();
  });

  test('give the same bits with and without gradients, kept or not, wrapped or not', () => {
    const network = networkOf(goldenGraph('resnet18_w4'));
    const images = imagesOf(network.graph, 20);
    const { model: counted, counts } = countingClassifier(network);
    for (const mode of modes) {
      const once = passed(network, [images], { mode, wrt: 'images' });
      const alone = passed(network, [images], { mode, wrt: 'nothing' });
      expect(alone.logits).toEqual(once.logits);
      expect(passed(counted, [images], { mode, wrt: 'images' })).toEqual(once);
      const pass = network.pass([images], { mode, wrt: 'images' });
      const { value, dLogits } = logitGradients(pass.logits, lossOf);
      const first = numbersOf(pass.pullback(dLogits, { keep: true }).images[0]!);
      const none = pass.pullback([null], { keep: true }).images[0]!;
      expect(largest(numbersOf(none))).toBe(0);
      const second = numbersOf(pass.pullback(dLogits).images[0]!);
      expect([first, second]).toEqual([once.images[0], once.images[0]]);
      expect(() => pass.pullback(dLogits)).toThrow(expect.objectContaining({ code: 'PASS_INVALID' }));
      pass.dispose();
      pass.dispose();
      tf.dispose([value, ...dLogits.map((each) => each!)]);
    }
    expect(counts).toEqual({ forward: 2, backward: 2 });
    tf.dispose(images);
    network.dispose();
  });

  test('see weights and statistics that changed between calls', () => {
    const [network, other] = [networkOf(goldenGraph('resnet18_w4')), networkOf(goldenGraph('resnet18_w4'))];
    const images = imagesOf(network.graph, 4);
    const before = modes.map((mode) => passed(network, [images, images], { mode, wrt: 'images' }));
    unsettle(other, 5);
    unsettle(network, 5);
    modes.forEach((mode, at) => {
      const after = passed(network, [images, images], { mode, wrt: 'images' });
      expect(after).toEqual(passed(other, [images, images], { mode, wrt: 'images' }));
      expect(after.logits).not.toEqual(before[at]!.logits);
    });
    tf.dispose(images);
    [network, other].forEach((each) => each.dispose());
  });

  test('take the same kernels through a wrapped classifier as through a bare one', async () => {
    const network = networkOf(goldenGraph('small-cnn'));
    const images = [3, 4].map((seed) => imagesOf(network.graph, 4, seed));
    const kernelsOf = async (model: Classifier) => {
      const { kernels } = await tf.profile(() => void passed(model, images, { mode: 'batch', wrt: 'all' }));
      return kernels.map(({ name }) => name);
    };
    await kernelsOf(network);
    const wrapped = withComputeDtype({ ...countingClassifier(network).model }, 'float32');
    expect(await kernelsOf(wrapped)).toEqual(await kernelsOf(network));
    tf.dispose(images);
    network.dispose();
  });

  test('differentiate through functions around a classifier', () => {
    const network = networkOf(goldenGraph('small-cnn'));
    const images = imagesOf(network.graph, 4);
    const before = (x: tf.Tensor4D): tf.Tensor4D => tf.sub(1, tf.square(x));
    const after = (z: tf.Tensor2D): tf.Tensor2D => tf.div(z, 3);
    const tensors = tf.memory().numTensors;
    const found = passed(surrounded(network, { before, after }), [images], { mode: 'batch', wrt: 'all' });
    expect(tf.memory().numTensors).toBe(tensors);
    const expected = taped(surrounded(network, { before, after }), [images], 'batch');
    expectClose(found.logits[0]!, expected.logits[0]!, 1e-5);
    expectClose(found.images[0]!, expected.images[0]!, 1e-4);
    expectClose(found.parameters.get('fc.weight')!, expected.parameters.get('fc.weight')!, 1e-4);
    tf.dispose(images);
    network.dispose();
  });

  test('free activations as they go back', async () => {
    const network = networkOf(goldenGraph('resnet18_w4'));
    const images = imagesOf(network.graph, 8);
    const request = { mode: 'batch', wrt: 'parameters' } as const;
    passed(network, [images], request);
    const { peakBytes: tape } = await tf.profile(() => void taped(network, [images], 'batch'));
    const { peakBytes: own } = await tf.profile(() => void passed(network, [images], request));
    expect(own).toBeLessThan(0.5 * tape);
    tf.dispose(images);
    network.dispose();
  });

  test('are differentiated twice where they are taped', () => {
    const network = networkOf(smooth(goldenGraph('resnet18_w4')));
    const images = imagesOf(network.graph, 3);
    const direction = tf.tidy(() => {
      const any = tf.randomNormal(images.shape, 0, 1, 'float32', 9);
      return tf.div(any, tf.norm(any)) as tf.Tensor4D;
    });
    const slope = (x: tf.Tensor) =>
      tf.tidy(() => {
        const gradient = tf.grad((given) => lossOf(network.taped(given as tf.Tensor4D, 'eval')))(x);
        return tf.sum(tf.mul(gradient, direction)) as tf.Scalar;
      });
    const [found, expected] = tf.tidy(() => {
      const curvature = tf.sum(tf.mul(tf.grad(slope)(images), direction));
      const h = 1e-2;
      const at = (by: number) => slope(tf.add(images, tf.mul(by, direction)));
      return [curvature, tf.div(tf.sub(at(h), at(-h)), 2 * h)].map((each) => each.dataSync()[0]!);
    }) as [number, number];
    expect(Math.abs(expected)).toBeGreaterThan(0);
    expect(Math.abs(found - expected) / Math.abs(expected)).toBeLessThan(0.05);
    tf.dispose([images, direction]);
    network.dispose();
  });

  test('leak neither tensors nor memory, nor leave files', async () => {
    const files = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`bulwark-graph-${process.pid}-`));
    const network = networkOf(goldenGraph('small-cnn'));
    const images = imagesOf(network.graph, 16);
    const calls = async (count: number) => {
      for (let i = 0; i < count; i++) {
        for (const mode of modes) passed(network, [images], { mode, wrt: 'images' });
        unsettle(network, i);
        // as the trainer does after each step: native objects are freed in turns of the event loop
        await new Promise((resolve) => setImmediate(resolve));
      }
      return process.memoryUsage().rss / 2 ** 20;
    };
    const before = await calls(20);
    const tensors = tf.memory().numTensors;
    const [first, second] = [await calls(40), await calls(40)];
    expect(tf.memory().numTensors).toBe(tensors);
    // the activations of one call are 3 MB, and 40 calls in two modes would leave 240, each time; what is kept for good (webgpu's uniforms) comes once
    expect(Math.min(first - before, second - first)).toBeLessThan(60);
    network.dispose();
    images.dispose();
    expect(files()).toEqual([]);
  });
});
