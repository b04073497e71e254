import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../engine/index.js';
import { readGolden } from '../testing/golden.js';
import { crossEntropy, dlr, margin, targetedDlr } from '../loss/index.js';

interface Golden {
  on_logits: {
    logits: number[][];
    y: number[];
    tie_rows: number[];
    cases: { loss: string; y_target?: number[]; value: number[]; grad_logits: number[][] }[];
  }[];
}
const golden = readGolden<Golden>('losses').on_logits;

beforeAll(() => useEngine('wasm').then(() => undefined));

describe('the losses that attacks climb', () => {
  const rows = golden.flatMap((set, i) => set.cases.map((c) => [`${c.loss}, logits ${i}`, set, c] as const));
  it.each(rows)('equal the official code, values and gradients: %s', (_name, set, c) => {
    const y = tf.tensor1d(set.y, 'int32');
    const targets = c.y_target && tf.tensor1d(c.y_target, 'int32');
    const losses: Record<string, (z: tf.Tensor2D) => tf.Tensor1D> = {
      ce: (z) => crossEntropy(z, y),
      cw: (z) => margin(z, y),
      dlr: (z) => dlr(z, y),
      'dlr-targeted': (z) => targetedDlr(z, y, targets!),
      dlr_targeted: (z) => targetedDlr(z, y, targets!),
    };
    const loss = losses[c.loss];
    if (!loss) return; // the targeted cross-entropy is in the official code, but no attack uses it
    const z = tf.tensor2d(set.logits);
    loss(z)
      .dataSync()
      .forEach((value, i) => expect(Math.abs(value - c.value[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(c.value[i]!))));
    const gradient = tf
      .grad((t) => tf.sum(loss(t as tf.Tensor2D)))(z)
      .arraySync() as number[][];
    gradient.forEach((row, i) => {
      if (set.tie_rows.includes(i)) return;
      const scale = Math.max(1, ...c.grad_logits[i]!.map(Math.abs));
      row.forEach((value, j) => expect(Math.abs(value - c.grad_logits[i]![j]!)).toBeLessThan(1e-5 * scale));
    });
  });
});
