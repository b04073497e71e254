import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { registerSession, useEngine } from '../engine/index.js';
import { createRandom } from '../random.js';
import { readGolden } from '../testing/golden.js';
import { norms, type NormName } from './index.js';

interface Golden {
  tags: string[];
  points: number[][];
  w: number[][];
  b: number[];
  out: Record<NormName, number[][]>;
  l1_ball_box: { x: number[][]; y: number[][]; cases: { eps: number; out: number[][] }[] };
}
const golden = readGolden<Golden>('projections');
const images = (rows: number[][]) => tf.tensor4d(rows.flat(), [rows.length, 1, rows[0]!.length, 1]);
const rowsOf = (x: tf.Tensor4D) =>
  Array.from({ length: x.shape[0] }, (_, e) => [...x.dataSync().slice(e * x.shape[2], (e + 1) * x.shape[2])]);
const far = { backend: 'cpu', description: 'far away', device: 'far away', dtypes: ['float32' as const], remarks: [] };

/** The same engine as one whose tensors live in the processor's memory, and as one where a look at them makes a GPU wait. */
describe.each([true, false])('projections inside the pixel range, tensors on the host %s', (hostMemory) => {
  beforeAll(async () => {
    await useEngine('cpu');
    registerSession({ ...far, hostMemory });
  });

  const cases = golden.tags.map((tag, i) => [tag, i] as const);
  it.each(cases)('reach hyperplanes as the official code: %s, case %d', (_tag, i) => {
    const [t, w] = [golden.points[i]!, golden.w[i]!];
    const gap = t.reduce((sum, value, j) => sum + value * w[j]!, -golden.b[i]!);
    for (const norm of ['linf', 'l2', 'l1'] as const) {
      const moves = norms[norm].hyperplane(images([t]), { w: images([w]), gap: tf.tensor4d([gap], [1, 1, 1, 1]) });
      golden.out[norm][i]!.forEach((value, j) => expect(Math.abs(moves.dataSync()[j]! - value)).toBeLessThan(1e-6));
    }
  });

  const { x, y, cases: balls } = golden.l1_ball_box;
  it.each(balls.map(({ eps, out }) => [eps, out] as const))(
    'reach the l1 ball of %d as the official code',
    (eps, out) => {
      const origin = images(x);
      const moved = tf.add<tf.Tensor4D>(origin, images(y));
      const added = rowsOf(tf.sub(norms.l1.project(moved, { origin, epsilon: eps }), moved));
      out.forEach((row, i) => row.forEach((value, j) => expect(Math.abs(added[i]![j]! - value)).toBeLessThan(1e-6)));
    },
  );

  it('reach planes that leave little room, or none', () => {
    const random = createRandom(5);
    const [point, w] = [random.uniform<tf.Rank.R4>([6, 8, 8, 3]), random.normal<tf.Rank.R4>([6, 8, 8, 3])];
    // what is left of the way to the furthest face, from a thousandth to nothing, and beyond
    const shares = tf.tensor4d([1e-4, 0.01, 0.3, 0.9, 0.99, 1.5], [6, 1, 1, 1]);
    const room = tf.where(tf.greater(w, 0), point, tf.sub(1, point));
    const reach = tf.sum(tf.mul(tf.abs(w), room), [1, 2, 3], true);
    for (const norm of Object.values(norms)) {
      const gap = tf.mul<tf.Tensor4D>(reach, shares);
      const move = norm.hyperplane(point, { w, gap });
      const left = tf.add(gap, tf.sum(tf.mul(w, move), [1, 2, 3], true)).dataSync();
      const there = tf.add(point, move);
      expect(tf.min(there).dataSync()[0]).toBeGreaterThan(-1e-6);
      expect(tf.max(there).dataSync()[0]).toBeLessThan(1 + 1e-6);
      const scale = reach.dataSync();
      left.forEach((value, e) => expect(value / scale[e]!).toBeCloseTo(e === 5 ? 0.5 : 0, 5));
    }
  });
});
