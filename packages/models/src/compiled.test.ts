import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import {
  createNetwork,
  createRandom,
  crossEntropy,
  disposeStatistics,
  forwardCapturingEach,
  forwardEach,
  inputGradient,
  loadTensorflow,
  networkGraph,
  tensorflow,
  useEngine,
  withConstantParameters,
  withRepeatedImages,
  type Network,
  type NetworkGraph,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { mlp } from './architectures/mlp.js';
import { goldenGraph } from './golden-networks.js';

const load = await loadTensorflow();
const compiles = load.available && !load.engine.gpu;
const whenCompiled = compiles ? it : it.skip;
const modes = ['eval', 'batch'] as const;

beforeAll(async () => {
  if (compiles) await useEngine('tensorflow', { engines: [tensorflow] });
});

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

function networkOf(graph: NetworkGraph, { eager = false } = {}): Network {
  const network = createNetwork(graph, { name: 'test', random: createRandom(7, 'weights') });
  unsettle(network, 1);
  const forward: Network['forward'] = (images, mode) => {
    process.env['BULWARK_EAGER'] = '1';
    try {
      return network.forward(images, mode);
    } finally {
      delete process.env['BULWARK_EAGER'];
    }
  };
  // functions of its own, so that nothing passes side by side
  const forwardCapturing: Network['forwardCapturing'] = (images) => network.forwardCapturing(images);
  return eager ? { ...network, forward, forwardCapturing } : network;
}

const imagesOf = ({ inputShape }: NetworkGraph, batch: number, seed = 3): tf.Tensor4D =>
  tf.randomUniform([batch, ...inputShape], 0, 1, 'float32', seed);
const labelsOf = (count: number) => tf.tensor1d(Int32Array.from({ length: count }, (_, i) => i % 10));

type Numbers = ArrayLike<number>;
const logitsOf = (network: Network, images: tf.Tensor4D, mode: 'eval' | 'batch'): Numbers =>
  tf.tidy(() => network.forward(images, mode).dataSync());
const gradientOf = (network: Network, images: tf.Tensor4D, mode: 'eval' | 'batch'): Numbers =>
  tf.tidy(() => {
    const labels = labelsOf(images.shape[0]);
    return inputGradient((points) => crossEntropy(network.forward(points, mode), labels), images).dataSync();
  });

function expectClose(found: Numbers, expected: Numbers): void {
  expect(found.length).toBe(expected.length);
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(found[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  expect(largest).toBeGreaterThan(0);
  expect(worst / largest).toBeLessThan(1e-5);
}

/** Small images with so many channels that convolutions are computed by minimal filtering, with and without BatchNorm and bias. */
const wide = (): NetworkGraph =>
  networkGraph([8, 4, 3], (g) => {
    const stem = g.relu(g.batchNorm('bn', g.conv('stem', g.input, { filters: 256, kernel: 3 })));
    const biased = g.relu(g.conv('biased', stem, { filters: 256, kernel: 3, bias: true }));
    const pooled = g.maxPool(g.add(stem, biased), 2);
    const normed = g.relu(g.batchNorm('bn2', g.conv('normed', pooled, { filters: 288, kernel: 3, bias: true })));
    return g.linear('fc', g.globalAveragePool(normed), { units: 10 });
  });

const graphs: Readonly<Record<string, () => NetworkGraph>> = {
  'small-cnn': () => goldenGraph('small-cnn'),
  'resnet18, narrow': () => goldenGraph('resnet18_w4'),
  'preactresnet18, narrow': () => goldenGraph('preactresnet18_w4'),
  'preactresnet18 without final BatchNorm': () => goldenGraph('preactresnet18_w4_nofinalbn'),
  'wrn-10-1': () => goldenGraph('wrn-10-1'),
  'vgg11, narrow': () => goldenGraph('vgg11_w4'),
  'wide, small images': wide,
  mlp: () => mlp({ inputShape: [6, 5, 2], classes: 10, width: 12, depth: 2 }),
};

describe('passes that the native engine compiles', () => {
  for (const [name, graphOf] of Object.entries(graphs))
    whenCompiled(`give the logits and image gradients of ${name} computed op by op, for several batches`, () => {
      const compiled = networkOf(graphOf());
      const eager = networkOf(graphOf(), { eager: true });
      for (const batch of [17, 8, 3, 1]) {
        const images = imagesOf(compiled.graph, batch);
        for (const mode of modes) {
          // with one example BatchNorm of single pixels has nothing but rounding errors to divide
          if (batch === 1 && mode === 'batch') continue;
          expectClose(logitsOf(compiled, images, mode), logitsOf(eager, images, mode));
          expectClose(gradientOf(compiled, images, mode), gradientOf(eager, images, mode));
        }
        images.dispose();
      }
      compiled.dispose();
      eager.dispose();
    });

  whenCompiled('see weights and statistics that changed between calls', () => {
    const graph = goldenGraph('resnet18_w4');
    const [compiled, eager] = [networkOf(graph), networkOf(graph, { eager: true })];
    const images = imagesOf(graph, 4);
    const before = logitsOf(compiled, images, 'eval');
    for (const network of [compiled, eager]) unsettle(network, 5);
    for (const mode of modes) expectClose(gradientOf(compiled, images, mode), gradientOf(eager, images, mode));
    expectClose(logitsOf(compiled, images, 'eval'), logitsOf(eager, images, 'eval'));
    expect(() => expectClose(logitsOf(compiled, images, 'eval'), before)).toThrow();
  });

  whenCompiled('differentiate the weights that they ran with, should these change before the backward pass', () => {
    const graph = wide();
    const images = imagesOf(graph, 4);
    for (const mode of modes) {
      const [found, expected] = [networkOf(graph), networkOf(graph, { eager: true })].map((network) => {
        const loss = (points: tf.Tensor4D) => {
          const logits = network.forward(points, mode);
          unsettle(network, 9);
          network.forward(images, mode);
          return tf.sum(logits, 1) as tf.Tensor1D;
        };
        return tf.tidy(() => inputGradient(loss, images).dataSync());
      });
      expectClose(found!, expected!);
    }
  });

  whenCompiled('give the same bits with and without a gradient, and again', () => {
    const networks = ['preactresnet18_w4', 'vgg11_w4', 'small-cnn'].map((name) => networkOf(goldenGraph(name)));
    for (const [network, mode] of networks.flatMap((each) => modes.map((mode) => [each, mode] as const))) {
      const images = imagesOf(network.graph, 5);
      const alone = Array.from(logitsOf(network, images, mode));
      let taped: Numbers = [];
      inputGradient((points) => {
        const logits = network.forward(points, mode);
        taped = logits.dataSync();
        return tf.sum(logits, 1);
      }, images);
      expect(Array.from(taped)).toEqual(alone);
      expect(Array.from(logitsOf(network, images, mode))).toEqual(alone);
    }
  });

  whenCompiled('keep the pass at repeated images, with the same bits, until the repetition ends', () => {
    const graph = wide();
    const network = networkOf(graph);
    const images = imagesOf(graph, 4);
    for (const mode of modes) {
      const once = [logitsOf(network, images, mode), gradientOf(network, images, mode)].map((v) => Array.from(v));
      const tensors = tf.memory().numTensors;
      const repeated = withRepeatedImages(images, () => {
        const found = [0, 1].map(() => [logitsOf, gradientOf].map((of) => Array.from(of(network, images, mode))));
        // the caller's promise broken: what is kept shows
        unsettle(network, 5);
        found.push([logitsOf, gradientOf].map((of) => Array.from(of(network, images, mode))));
        const elsewhere = tf.add(images, 0) as tf.Tensor4D;
        const other = gradientOf(network, elsewhere, mode);
        elsewhere.dispose();
        expect(() => expectClose(other, once[1]!)).toThrow();
        return found;
      });
      for (const found of repeated) expect(found).toEqual(once);
      expect(tf.memory().numTensors).toBe(tensors);
      expect(() => expectClose(logitsOf(network, images, mode), once[0]!)).toThrow();
      unsettle(network, 1);
    }
    tf.dispose(images);
    network.dispose();
  });

  whenCompiled('pass batches side by side as one by one, each with its own statistics', () => {
    const network = networkOf(wide());
    const points = [3, 4].map((seed) => imagesOf(network.graph, 4, seed)) as [tf.Tensor4D, tf.Tensor4D];
    const labels = labelsOf(4);
    const masked: Network = {
      ...network,
      forward: (images, mode) => tf.mul(2, network.forward(images, mode)),
    };
    for (const mode of modes) {
      const tensors = tf.memory().numTensors;
      const alone = points.map((images) => logitsOf(network, images, mode));
      const gradients = points.map((images) => gradientOf(network, images, mode));
      const together = tf.tidy(() => forwardEach(network, points, mode).map((logits) => logits.dataSync()));
      const sum = (a: tf.Tensor4D, b: tf.Tensor4D) => {
        const [first, second] = forwardEach(network, [a, b], mode) as [tf.Tensor2D, tf.Tensor2D];
        return tf.add(tf.sum(crossEntropy(first, labels)), tf.sum(crossEntropy(second, labels)));
      };
      const found = tf.tidy(() =>
        withConstantParameters(() => tf.grads(sum as (...x: tf.Tensor[]) => tf.Tensor)([...points])).map((gradient) =>
          gradient.dataSync(),
        ),
      );
      for (const at of [0, 1]) {
        expectClose(together[at]!, alone[at]!);
        expectClose(found[at]!, gradients[at]!);
      }
      // a classifier with a forward of its own is asked for that
      const doubled = tf.tidy(() => forwardEach(masked, points, mode).map((logits) => logits.dataSync()));
      expect(Array.from(doubled[1]!)).toEqual(Array.from(alone[1]!, (value) => 2 * value));
      expect(tf.memory().numTensors).toBe(tensors);
    }
    tf.dispose([points, labels]);
    network.dispose();
  });

  whenCompiled('leave gradients in parameters as they are', () => {
    const graph = goldenGraph('resnet18_w4');
    const images = imagesOf(graph, 4);
    for (const mode of modes) {
      const [found, expected] = [networkOf(graph), networkOf(graph, { eager: true })].map((network) => {
        logitsOf(network, images, mode);
        const labels = labelsOf(4);
        const loss = () => tf.sum(crossEntropy(network.forward(images, mode), labels)) as tf.Scalar;
        return tf.variableGrads(loss, [...network.parameters.values()]).grads;
      });
      const values = (grads: tf.NamedTensorMap) =>
        Object.values(grads).map((gradient) => Array.from(gradient.dataSync()));
      expect(values(found!)).toEqual(values(expected!));
    }
  });

  for (const [name, graphOf] of Object.entries(graphs))
    whenCompiled(`give the weights of ${name} the gradients and statistics computed op by op`, () => {
      const [compiled, eager] = [networkOf(graphOf()), networkOf(graphOf(), { eager: true })];
      const points = [3, 4, 5].map((seed) => imagesOf(compiled.graph, 6, seed));
      const labels = labelsOf(6);
      for (const count of [2, 3]) {
        const tensors = tf.memory().numTensors;
        const [found, expected] = [compiled, eager].map((network) => {
          const given = points.slice(0, count);
          const seen: { logits: Numbers[]; statistics: Numbers[]; counts: number[] } = {
            logits: [],
            statistics: [],
            counts: [],
          };
          const lossAt = (...images: tf.Tensor[]) => {
            const passes = forwardCapturingEach(network, images as tf.Tensor4D[]);
            for (const { logits, statistics } of passes) {
              seen.logits.push(logits.dataSync());
              for (const each of statistics.values()) {
                seen.statistics.push(each.mean.dataSync(), each.variance.dataSync());
                seen.counts.push(each.count);
              }
              disposeStatistics(statistics);
            }
            // unlike weights, so that gradients of one batch cannot pass for those of another
            return tf.addN(passes.map(({ logits }, at) => tf.mul(at + 1, tf.sum(crossEntropy(logits, labels)))));
          };
          const { value, grads } = tf.variableGrads(
            () => lossAt(...given) as tf.Scalar,
            [...network.parameters.values()],
          );
          const ofParameters = [...network.parameters.values()].map((variable) => grads[variable.name]!.dataSync());
          tf.dispose([value, grads]);
          const ofImages = tf
            .tidy(() => tf.grads(lossAt)(given))
            .map((gradient) => {
              const values = gradient.dataSync();
              gradient.dispose();
              return values;
            });
          return { ...seen, ofParameters, ofImages };
        });
        expect(found!.counts).toEqual(expected!.counts);
        for (const what of ['logits', 'statistics', 'ofImages'] as const)
          found![what].forEach((values, at) => expectClose(values, expected![what][at]!));
        const size = (values: Numbers) =>
          Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const largest = Math.max(...expected!.ofParameters.map(size));
        found!.ofParameters.forEach((values, at) => {
          const exact = expected!.ofParameters[at]!;
          const worst = size(values.map((value, i) => value - exact[i]!));
          // biases before a BatchNorm have no gradient but rounding errors
          expect(worst).toBeLessThan(size(exact) < 1e-5 * largest ? 1e-5 * largest : 1e-4 * size(exact));
        });
        expect(tf.memory().numTensors).toBe(tensors);
      }
      tf.dispose([points, labels]);
      compiled.dispose();
      eager.dispose();
    });

  whenCompiled('leave second derivatives to passes op by op', () => {
    const network = networkOf(networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 })));
    const [a, b] = [3, 4].map((seed) => imagesOf(network.graph, 2, seed)) as [tf.Tensor4D, tf.Tensor4D];
    const slope = (x: tf.Tensor) =>
      tf.grad((given) => {
        const [first, second] = forwardCapturingEach(network, [given as tf.Tensor4D, b]);
        [first!, second!].forEach(({ statistics }) => disposeStatistics(statistics));
        return tf.sum(tf.square(first!.logits));
      })(x);
    // quadratic, so a difference of slopes is exact; a gradient that is taken for a constant has no slope
    const direction = tf.randomNormal(a.shape, 0, 1, 'float32', 9) as tf.Tensor4D;
    const [found, expected] = tf.tidy(() => {
      const along = (x: tf.Tensor) => tf.sum(tf.mul(slope(x), direction)) as tf.Scalar;
      const curvature = tf.sum(tf.mul(tf.grad(along)(a), direction));
      const h = 1e-2;
      const shifted = (by: number) => along(tf.add(a, tf.mul(by, direction)));
      return [curvature, tf.div(tf.sub(shifted(h), shifted(-h)), 2 * h)].map((each) => each.dataSync()[0]!);
    }) as [number, number];
    expect(Math.abs(expected)).toBeGreaterThan(0);
    expect(Math.abs(found - expected) / Math.abs(expected)).toBeLessThan(1e-3);
  });

  whenCompiled('leak neither tensors nor memory, nor leave files', () => {
    const files = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`bulwark-graph-${process.pid}-`));
    const network = networkOf(goldenGraph('small-cnn'));
    const images = imagesOf(network.graph, 16);
    const calls = (count: number) => {
      for (let i = 0; i < count; i++) {
        for (const mode of modes) gradientOf(network, images, mode);
        unsettle(network, i);
      }
      return process.memoryUsage().rss / 2 ** 20;
    };
    const before = calls(40);
    const tensors = tf.memory().numTensors;
    const after = calls(100);
    expect(tf.memory().numTensors).toBe(tensors);
    // the activations of one call are 3 MB
    expect(after - before).toBeLessThan(60);
    network.dispose();
    images.dispose();
    expect(files()).toEqual([]);
  });
});

afterAll(() => {
  delete process.env['BULWARK_EAGER'];
});
