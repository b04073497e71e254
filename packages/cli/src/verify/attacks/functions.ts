import { logitsOf, crossEntropy, dlr, margin, targetedDlr } from '@bulwark/core';
import { isRandomised, looksLikeProbabilities, squareIsBetter } from '@bulwark/core/evaluation';
import { norms } from '@bulwark/core/threat';
import * as tf from '@tensorflow/tfjs-core';
import { scaled, within, type Comparison } from '../comparison.js';
import { field, isObject, type Golden } from '../golden.js';
import type { Setting } from './setting.js';

type Rows = number[][];
const list = (json: Golden, name: string) => (field(json, name) as unknown[]).filter(isObject);

/** Losses that attacks climb, on logits: values, and gradients where no logits are tied. */
export function lossesCase(json: Golden, comparison: Comparison): void {
  for (const set of list(json, 'on_logits'))
    tf.tidy(() => {
      const labels = tf.tensor1d(set['y'] as number[], 'int32');
      const logits = tf.tensor2d(set['logits'] as Rows);
      const ties = set['tie_rows'] as number[];
      for (const golden of list(set, 'cases')) {
        const targets = () => tf.tensor1d(golden['y_target'] as number[], 'int32');
        const losses: Record<string, (z: tf.Tensor2D) => tf.Tensor1D> = {
          ce: (z) => crossEntropy(z, labels),
          cw: (z) => margin(z, labels),
          dlr: (z) => dlr(z, labels),
          dlr_targeted: (z) => targetedDlr(z, labels, targets()),
        };
        const loss = losses[String(golden['loss'])];
        if (!loss) continue; // the targeted cross-entropy is in the official code, but no attack uses it
        const name = String(golden['loss']);
        comparison.compare(
          { quantity: `${name} value` },
          loss(logits).dataSync(),
          golden['value'] as number[],
          scaled(1e-5),
        );
        const gradient = tf
          .grad((z) => tf.sum(loss(z as tf.Tensor2D)))(logits)
          .arraySync() as Rows;
        (golden['grad_logits'] as Rows).forEach((row, e) => {
          if (ties.includes(e)) return;
          const largest = Math.max(...row.map(Math.abs));
          const allowed = { text: '1e-5 max(1, max|v|)', allowed: () => 1e-5 * Math.max(1, largest) };
          comparison.compare({ quantity: `${name} gradient`, part: `row ${e}` }, gradient[e]!, row, allowed);
        });
      }
    });
}

/** Projections onto hyperplanes in the pixel range, and onto the l1 ball with it. */
export function projectionsCase(json: Golden, comparison: Comparison): void {
  const [points, normals, offsets] = [json['points'] as Rows, json['w'] as Rows, json['b'] as number[]];
  const out = json['out'] as Record<'linf' | 'l2' | 'l1', Rows>;
  const images = (rows: Rows) => tf.tensor4d(rows.flat(), [rows.length, 1, rows[0]!.length, 1]);
  const row = (of: tf.Tensor4D, i: number) => of.dataSync().slice(i * of.shape[2], (i + 1) * of.shape[2]);
  tf.tidy(() => {
    const gaps = points.map((t, i) => t.reduce((sum, value, j) => sum + value * normals[i]![j]!, -offsets[i]!));
    const plane = { w: images(normals), gap: tf.tensor4d(gaps, [gaps.length, 1, 1, 1]) };
    for (const norm of ['linf', 'l2', 'l1'] as const) {
      const moves = norms[norm].hyperplane(images(points), plane);
      points.forEach((_, i) => {
        const what = { quantity: `hyperplane ${norm}`, part: `case ${i}` };
        comparison.compare(what, row(moves, i), out[norm][i]!, within(1e-6));
      });
    }
    const ball = json['l1_ball_box'] as { x: Rows; y: Rows; cases: { eps: number; out: Rows }[] };
    const [origin, away] = [images(ball.x), images(ball.y)];
    for (const { eps, out: expected } of ball.cases) {
      const found = norms.l1.project(tf.add(origin, away), { origin, epsilon: eps });
      const added = tf.sub<tf.Tensor4D>(tf.sub(found, origin), away);
      expected.forEach((values, i) => {
        const what = { quantity: 'l1 ball and pixel range', part: `epsilon ${eps}, case ${i}` };
        comparison.compare(what, row(added, i), values, within(1e-6));
      });
    }
  });
}

/** Verdicts of the trust checks. */
export function checksCase(json: Golden, comparison: Comparison): void {
  const verdict = (quantity: string, found: boolean, golden: Golden, i: number) =>
    comparison.compare({ quantity, part: `case ${i}` }, Number(found), Number(Number(golden['warn']) > 0), within(0));
  list(json, 'randomized').forEach((golden, i) => {
    const outputs = golden['outputs'] as number[][][];
    const found = isRandomised(
      outputs.map((rows) => rows.flat()),
      golden['y'] as number[],
      outputs[0]![0]!.length,
    );
    verdict('randomised output', found !== undefined, golden, i);
  });
  list(json, 'range_output').forEach((golden, i) =>
    verdict(
      'softmax output',
      looksLikeProbabilities((golden['output'] as Rows).flat(), Number(golden['n_classes'])),
      golden,
      i,
    ),
  );
  list(json, 'square').forEach((golden, i) =>
    verdict('square better', squareIsBetter(golden['robust_accuracy'] as Record<string, number>), golden, i),
  );
}

/** The classifier that all attack cases share. */
export function classifierCase(
  json: Golden,
  { setting, comparison }: { setting: Setting; comparison: Comparison },
): void {
  const { images, labels } = setting.batch(setting.images.labels.length);
  tf.tidy(() => {
    const logits = logitsOf(setting.model, images);
    const expected = field(json, 'logits') as Rows;
    comparison.compare({ quantity: 'logits' }, logits.dataSync(), expected.flat(), within(2e-5));
    comparison.compare(
      { quantity: 'ce' },
      crossEntropy(logits, labels).dataSync(),
      json['ce'] as number[],
      within(2e-5),
    );
    comparison.compare({ quantity: 'pred' }, tf.argMax(logits, 1).dataSync(), json['pred'] as number[], within(0));
  });
}
