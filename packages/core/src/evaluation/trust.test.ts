import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../engine/index.js';
import type { Attack } from '../hooks/index.js';
import { readGolden } from '../testing/golden.js';
import { squareIsBetter, tooFewClasses } from './trust.js';
import { callsGradients, isRandomised, looksLikeProbabilities } from './trust-signs.js';
import { wilsonInterval } from './statistics.js';

interface Golden {
  randomized: { outputs: number[][][]; y: number[]; warn: number }[];
  range_output: { output: number[][]; n_classes: number; warn: number }[];
  square: { robust_accuracy: Record<string, number>; warn: number }[];
  n_classes: { n_classes: number; attacks: string[]; apgd_targets: number; fab_targets: number; warn: number }[];
}
const golden = readGolden<Golden>('checks');
beforeAll(() => useEngine('cpu').then(() => undefined));

describe('trust checks, verdict by verdict as the official code', () => {
  it.each(golden.randomized.map((c, i) => [i, c] as const))(
    'randomised output, case %d',
    (_i, { outputs, y, warn }) => {
      const found = isRandomised(
        outputs.map((output) => output.flat()),
        y,
        outputs[0]![0]!.length,
      );
      expect(found === undefined ? 0 : 1).toBe(Math.min(warn, 1));
    },
  );
  it.each(golden.range_output.map((c, i) => [i, c] as const))(
    'softmax output, case %d',
    (_i, { output, n_classes, warn }) => {
      expect(looksLikeProbabilities(output.flat(), n_classes)).toBe(warn > 0);
    },
  );
  it.each(golden.square.map((c) => [JSON.stringify(c.robust_accuracy), c] as const))('square better: %s', (_i, c) => {
    expect(squareIsBetter(c.robust_accuracy)).toBe(c.warn > 0);
  });
  it.each(golden.n_classes.map((c) => [c.n_classes, c.attacks.join(), c] as const))(
    'too few classes: %d, %s',
    (...[, , c]) => {
      const settings: Record<string, Attack['settings']> = {
        'apgd-dlr': { loss: 'dlr', targets: c.apgd_targets },
        'apgd-t': { loss: 'dlr-targeted', targets: c.apgd_targets },
        'apgd-ce': { loss: 'ce', targets: c.apgd_targets },
        'fab-t': { targets: c.fab_targets },
        fab: { targets: 0 },
        square: { loss: 'margin' },
      };
      const attacks = c.attacks.map((label) => ({ label, settings: settings[label] }) as Attack);
      expect(tooFewClasses(c.n_classes, attacks) !== undefined).toBe(c.warn > 0);
    },
  );
  it('optimisation at test time: sees gradients asked for in a plain forward pass, and forgets them again', () => {
    const plain = () => tf.tidy(() => void tf.square(tf.scalar(2)));
    const dynamic = () => tf.tidy(() => void tf.grad((x) => tf.square(x))(tf.scalar(2)));
    expect([plain, dynamic, plain].map(callsGradients)).toEqual([false, true, false]);
  });
});

describe("Wilson's interval", () => {
  it('equals published values', () => {
    expect(wilsonInterval(8, 10)[0]).toBeCloseTo(0.4902, 4);
    expect(wilsonInterval(8, 10)[1]).toBeCloseTo(0.9433, 4);
    expect(wilsonInterval(0, 10)[0]).toBe(0);
    expect(wilsonInterval(0, 0)).toEqual([0, 1]);
  });
});
