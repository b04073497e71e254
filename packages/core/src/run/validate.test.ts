import { readFileSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import type { ImageSet } from '../batch.js';
import type { Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { evaluate } from '../evaluation/index.js';
import { thresholdModel } from '../evaluation/threshold-testing.js';
import type { Attack } from '../hooks/index.js';
import { norms } from '../threat/index.js';
import { validate } from './validate.js';

/** The class is whether the one pixel is above 0.5; the last image is wrong from the start. */
const data: ImageSet = {
  images: Uint8Array.from([51, 115, 140, 204, 140]),
  labels: Int32Array.from([0, 0, 1, 1, 0]),
  shape: [1, 1, 1],
};
const threat = { norm: norms.linf, epsilon: 0.1 };
let model: Network;
beforeAll(async () => {
  await useEngine('cpu');
  model = thresholdModel();
});

const attack = (label: string, move: (x: tf.Tensor4D) => unknown): Attack => ({
  label,
  run: (x) => tf.tidy(() => move(x) as tf.Tensor4D),
});
const honest = attack('honest', (x) => tf.sub(x, 0.099));
const far = attack('far', (x) => tf.add(tf.mul(tf.cast(tf.less(x, 0.5), 'float32'), 0.8), 0.1));
const bright = attack('bright', (x) => tf.add(x, 10));
const nothing = attack('nothing', (x) => tf.mul(x, NaN));

const run = async (attacks: Attack[], warnings: string[] = []) => {
  const warn = (message: string) => void warnings.push(message);
  return validate({ model, set: data, attacks, threat, batchSize: 2, seed: 1, warn });
};

describe('validation', () => {
  it('gives the figures of an evaluation with the same attacks', async () => {
    const attacks = [honest, far, bright, nothing];
    const found = await run(attacks);
    const { clean, attacks: entries } = await evaluate({ model, data, attacks, threat, batchSize: 2 });
    expect(found).toEqual({
      clean: clean.accuracy,
      ...Object.fromEntries(entries.map(({ label, accuracy }) => [label, accuracy])),
    });
    expect(found).toEqual({ clean: 0.8, honest: 0.6, far: 0.8, bright: 0.8, nothing: 0.8 });
  });

  it('tells attacks of one label apart, whose figures were added up', async () => {
    expect(await run([honest, attack('honest', (x) => tf.add(x, 0)), honest])).toEqual({
      clean: 0.8,
      honest: 0.6,
      'honest#2': 0.8,
      'honest#3': 0.6,
    });
  });

  it('says which attack broke the rules, and how', async () => {
    const warnings: string[] = [];
    await run([honest, far, bright, nothing], warnings);
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toMatch(/^attack far broke the rules.*: 5 of 5 outside-ball/);
    expect(warnings[1]).toMatch(/attack bright .*5 of 5 outside-pixel-range/);
    expect(warnings[2]).toMatch(/attack nothing .*5 of 5 not-finite/);
  });

  it.each<[string, (x: tf.Tensor4D) => unknown, RegExp]>([
    [
      'another shape',
      (x) => tf.reshape(x, [-1]),
      /attack odd returned candidates of shape \[2\]; expected .*\[2, 1, 1, 1\]/,
    ],
    ['another type', (x) => tf.cast(x, 'int32'), /attack odd returned a tensor of int32/],
    ['no tensor', () => [1, 2], /attack odd returned a value of type array/],
    ['nothing', () => undefined, /attack odd returned a value of type undefined/],
    ['null', () => null, /attack odd returned a value of type null/],
    ['fewer candidates', (x) => tf.slice(x, 0, 1), /attack odd returned candidates of shape \[1, 1, 1, 1\]/],
    [
      'a tensor that is gone',
      (x) => {
        const candidates = tf.clone(x);
        candidates.dispose();
        return candidates;
      },
      /attack odd returned a tensor that is disposed already/,
    ],
    ['after disposing its images', (x) => (x.dispose(), tf.zeros([2, 1, 1, 1])), /attack odd disposed the images/],
    [
      'nothing, but throws',
      () => {
        throw new TypeError('cannot read properties of undefined');
      },
      /attack odd failed: cannot read properties of undefined/,
    ],
  ])('refuses an attack that returns %s, by name', async (_what, move, message) => {
    const odd = { ...attack('odd', move), run: (x: tf.Tensor4D) => move(x) as tf.Tensor4D };
    await expect(run([odd])).rejects.toMatchObject({ code: 'ATTACK_INVALID' });
    await expect(run([odd])).rejects.toThrow(message);
    await expect(evaluate({ model, data, attacks: [odd], threat, batchSize: 2 })).rejects.toThrow(message);
    await expect(run([odd])).rejects.toHaveProperty('hint', expect.stringContaining('a fault of the attack'));
  });

  it('asks for the clean logits once, and hands them on to every attack', async () => {
    const seen: boolean[] = [];
    const asking: Attack = {
      label: 'asking',
      run(x, _labels, { clean }) {
        const expected = model.pass([x], { mode: 'eval', wrt: 'nothing' }).logits[0]!;
        seen.push(clean!.images === x && [...clean!.logits.dataSync()].join() === [...expected.dataSync()].join());
        return x;
      },
    };
    await run([asking, honest, { ...asking, label: 'again' }]);
    expect(seen).toEqual(Array(6).fill(true));
  });

  it('lets an attack return the images themselves, and other attacks still have them', async () => {
    const same = { label: 'same', run: (x: tf.Tensor4D) => x };
    expect(await run([same, honest])).toEqual({ clean: 0.8, same: 0.8, honest: 0.6 });
  });
});

it('one place runs attacks, where their candidates are judged', () => {
  const root = new URL('../../../', import.meta.url);
  const sources = ['core', 'cli', 'objectives'].flatMap((name) =>
    readdirSync(new URL(`${name}/src`, root), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.includes('.test.'))
      .filter((path) => !path.replaceAll('\\', '/').startsWith('testing/')) // the kit tries attacks that cheat
      .filter((path) => !path.replaceAll('\\', '/').startsWith('verify/')) // golden cases hold an attack's own points, and judge no model
      .map((path) => `${name}/src/${path}`),
  );
  const running = sources.filter((path) => /\b(attack|stage)\.run\(/.test(readFileSync(new URL(path, root), 'utf8')));
  expect(running.map((path) => path.replaceAll('\\', '/'))).toEqual(['core/src/evaluation/judge.ts']);
});
