import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { createNetwork } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { createRandom } from '../random.js';
import { featureNode } from './features.js';
import { networkGraph } from './graph.js';

const graph = networkGraph([6, 6, 2], (build) => {
  const first = build.relu(build.batchNorm('bn1', build.conv('conv1', build.input, { filters: 4, kernel: 3 })));
  const joined = build.relu(
    build.add(build.batchNorm('bn2', build.conv('conv2', first, { filters: 4, kernel: 3 })), first),
  );
  return build.linear('fc', build.globalAveragePool(joined), { units: 3 });
});

const network = () => createNetwork(graph, { name: 'test', random: createRandom(3) });
const images = () => createRandom(5).uniform<tf.Rank.R4>([5, 6, 6, 2]);

describe.each(['wasm', 'cpu'] as const)('features on %s', (engine) => {
  beforeAll(() => useEngine(engine));

  it.each(['eval', 'batch'] as const)('are what layers give and read, in mode %s', (mode) => {
    const model = network();
    const pass = model.pass([images()], { mode, wrt: 'nothing', features: ['fc.input', 'fc', 'bn1', 'conv2.input'] });
    const of = (name: string) => pass.features![0]!.get(name)!;
    const { fc } = {
      fc: tf.add(
        tf.matMul(of('fc.input') as tf.Tensor2D, model.parameters.get('fc.weight')!),
        model.parameters.get('fc.bias')!,
      ),
    };
    const gap = (a: tf.Tensor, b: tf.Tensor) => Math.max(...tf.abs(tf.sub(a, b)).dataSync());
    expect(gap(fc, pass.logits[0]!)).toBeLessThan(1e-6);
    expect(gap(of('fc'), pass.logits[0]!)).toBe(0);
    expect(gap(tf.relu(of('bn1')), of('conv2.input'))).toBe(0);
    const plain = model.pass([images()], { mode, wrt: 'nothing' });
    expect(gap(plain.logits[0]!, pass.logits[0]!)).toBeLessThan(1e-5);
  });

  it('carry gradients back as logits do, alone and together with them', () => {
    const model = network();
    const request = { mode: 'batch', wrt: 'all' } as const;
    const dLogits = createRandom(7).normal<tf.Rank.R2>([5, 3]);
    // the linear layer by hand: what reaches its input
    const dInput = tf.matMul(dLogits, model.parameters.get('fc.weight')! as unknown as tf.Tensor2D, false, true);
    const expected = model.pass([images()], request).pullback([dLogits]);
    const quarter = tf.mul(dLogits, 0.25) as tf.Tensor2D;
    const throughFeature = model
      .pass([images()], { ...request, features: ['fc.input'] })
      .pullback([null], { dFeatures: [new Map([['fc.input', dInput as tf.Tensor]])] });
    const halves = model.pass([images()], { ...request, features: ['fc.input', 'fc'] }).pullback([quarter], {
      dFeatures: [
        new Map<string, tf.Tensor>([
          ['fc.input', tf.mul(dInput, 0.5)],
          ['fc', quarter],
        ]),
      ],
    });
    for (const found of [throughFeature, halves]) {
      expect(Math.max(...tf.abs(tf.sub(found.images[0]!, expected.images[0]!)).dataSync())).toBeLessThan(1e-6);
      for (const [name, gradient] of expected.parameters) {
        if (name.startsWith('fc')) continue;
        const gap = Math.max(...tf.abs(tf.sub(found.parameters.get(name)!, gradient)).dataSync());
        expect([name, gap < 2e-6]).toEqual([name, true]);
      }
    }
  });

  it('leave nothing behind', () => {
    const model = network();
    const x = images();
    const once = () => {
      const pass = model.pass([x, x], { mode: 'batch', wrt: 'parameters', features: ['bn1', 'fc'] });
      const given = tf.zerosLike(pass.features![1]!.get('bn1')!);
      const { parameters } = pass.pullback([null, null], { dFeatures: [new Map(), new Map([['bn1', given]])] });
      tf.dispose([given, ...parameters.values()]);
      pass.dispose();
    };
    once();
    const before = tf.memory().numTensors;
    once();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('names that no layer has, or that read the image, mean none', () => {
  for (const name of ['conv9', 'conv9.input', 'conv1.input', '', '.input']) expect(featureNode(graph, name)).toBe(-1);
  expect(featureNode(graph, 'conv2.input')).toBe(featureNode(graph, 'bn1') + 1);
});
