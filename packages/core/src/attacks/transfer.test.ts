import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { rangeOf } from '../batch.js';
import { inputGradient, straightThrough, surrounded, type Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { evaluate, fingerprintModel } from '../evaluation/index.js';
import { evaluated, toyClassifier, toyImages } from '../testing/golden.js';
import { norms } from '../threat/index.js';
import { iterativeFgsm } from './i-fgsm.js';
import { autoAttack } from './autoattack.js';
import { transferred } from './transfer.js';

const threat = { norm: norms.linf, epsilon: 8 / 255 };
const services = { threat } as Parameters<typeof iterativeFgsm.create>[1];
const attack = iterativeFgsm.create(iterativeFgsm.options.parse({ steps: 5 }), services);
const images = toyImages();
const data = { ...images, ...rangeOf(images, 0, 30) };
let model: Network;
beforeAll(async () => {
  await useEngine('wasm');
  model = evaluated(toyClassifier());
});
afterAll(() => model.dispose());

const round = (x: tf.Tensor4D) => tf.div(tf.round(tf.mul(x, 64)), 64) as tf.Tensor4D;

describe('examples of another model', () => {
  it('are judged by the model that is evaluated, and tell of gradients that mislead', async () => {
    const masked = surrounded(model, { before: round });
    const source = { model, name: 'toy', fingerprint: await fingerprintModel(model) };
    const before = tf.memory().numTensors;
    const result = await evaluate({ model: masked, data, attacks: [attack, transferred(attack, source)], threat });
    expect(tf.memory().numTensors).toBe(before);
    const [own, foreign] = result.attacks;
    expect(foreign!.label).toBe(`${attack.label}-from-toy`);
    expect(foreign!.settings).toMatchObject({ from: source.fingerprint });
    expect(own!.accuracy).toBe(result.clean.accuracy);
    expect(foreign!.accuracy).toBeLessThan(own!.accuracy - 0.1);
    expect(result.findings.map(({ id }) => id)).toContain('transfer-better');
    const honest = await evaluate({ model, data, attacks: [attack, transferred(attack, source)], threat });
    expect(honest.attacks[1]!.flags).toBe(honest.attacks[0]!.flags);
    expect(honest.findings).toEqual([]);
  });
  it('come stage by stage from ensembles', () => {
    const source = { model, name: 'toy', fingerprint: '' };
    const ensemble = transferred(autoAttack({ version: 'standard', queries: 5000 }, 'linf'), source);
    expect(ensemble.label).toBe('autoattack-standard-from-toy');
    expect(ensemble.stages!.map(({ label }) => label)).toEqual(
      ['apgd-ce', 'apgd-t', 'fab-t', 'square'].map((label) => `${label}-from-toy`),
    );
  });
  it('are refused where the models take other images or have other classes', async () => {
    const three = surrounded(model, { after: (logits) => tf.slice(logits, [0, 0], [-1, 3]) }, 3);
    const foreign = transferred(attack, { model: three, name: 'three', fingerprint: '' });
    await expect(evaluate({ model, data, attacks: [foreign], threat })).rejects.toThrow(
      'of 3 classes; the model takes',
    );
  });
});

describe('a classifier that gradients pass straight through', () => {
  it('answers the same, with the gradients of what lies behind the preprocessing', () => {
    const masked = surrounded(model, { before: round, after: (z) => tf.mul(z, 2) as tf.Tensor2D });
    const through = straightThrough(masked)!;
    const x = tf.tensor4d(
      tf.util
        .flatten([...images.labels.subarray(0, 2)])
        .flatMap((_, i) => Array.from({ length: data.shape.reduce((a, b) => a * b) }, (_v, j) => ((i + j) % 50) / 50)),
      [2, ...data.shape],
    );
    const loss = (z: tf.Tensor2D) => tf.sum(tf.square(z), 1) as tf.Tensor1D;
    const before = tf.memory().numTensors;
    const [ours, plain, behind] = [through, masked, model].map((of) =>
      tf.tidy(() => {
        const { gradient, logits } = inputGradient(of, of === model ? round(x) : x, {
          loss: of === model ? (z) => loss(tf.mul(z, 2)) : loss,
        });
        return { gradient: [...gradient.dataSync()], logits: [...logits.dataSync()] };
      }),
    );
    expect(tf.memory().numTensors).toBe(before);
    expect(ours!.logits).toEqual(plain!.logits);
    expect(new Set(plain!.gradient)).toEqual(new Set([0]));
    ours!.gradient.forEach((value, i) => expect(value).toBeCloseTo(behind!.gradient[i]!, 4));
    expect(straightThrough(model)).toBeUndefined();
    x.dispose();
  });
});
