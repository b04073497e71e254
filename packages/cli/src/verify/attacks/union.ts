import { logitsOf } from '@bulwark/core';
import { trainingApgd } from '@bulwark/objectives';
import { createRandom } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { within, type Comparison } from '../comparison.js';
import { field, isObject, numbersOf, objectField, type Golden } from '../golden.js';
import { bits, flagsOff, numbers, threatOfCase, type Setting } from './setting.js';

/** Where the authors evaluate, the first step in l1 moves a fifth of the pixels. */
const inEvaluation = 0.2;

/** APGD of robust-finetuning in each norm from the images, and who is left in all of them. */
export function unionCase(json: Golden, { setting, comparison }: { setting: Setting; comparison: Comparison }): void {
  const batch = setting.batch(Number(field(json, 'n_examples')));
  const { model } = setting;
  const steps = Number(field(json, 'n_iter'));
  const clean = tf.tidy(() =>
    [...tf.equal(tf.argMax(logitsOf(model, batch.images), 1), batch.labels).dataSync()].map(Number),
  );
  comparison.compare({ quantity: 'clean flags' }, clean, bits(json['clean']), within(0));
  const accuracy = objectField(json, 'accuracy');
  const share = (flags: readonly number[]) => flags.reduce((sum, flag) => sum + flag, 0) / flags.length;
  let union = clean;
  for (const [name, golden] of Object.entries(objectField(json, 'norms'))) {
    if (!isObject(golden)) continue;
    const { norm, epsilon } = threatOfCase(name, objectField(json, 'eps')[name]);
    const losses: Float32Array[] = [];
    const found = trainingApgd(
      batch,
      {
        ...{ model, threat: { norm, epsilon }, random: createRandom(0), epoch: 0, epochs: 1 },
        observe: ({ loss }) => void losses.push(loss!.dataSync().slice() as Float32Array),
      },
      { ball: { norm: norm.name, epsilon }, steps, ...(json['is_train'] !== true && { firstShare: inEvaluation }) },
    );
    found.best.dispose();
    const robust = [...found.robust];
    union = union.map((flag, e) => flag * robust[e]!);
    comparison.compare(
      { quantity: 'robust flags off', part: name },
      flagsOff(robust, bits(golden['robust'])),
      0,
      within(0),
    );
    comparison.compare({ quantity: 'accuracy', part: name }, share(robust), Number(accuracy[name]), within(1e-8));
    compareLosses(golden, { losses, bestLoss: found.bestLoss, name, comparison });
  }
  comparison.compare({ quantity: 'union, flags off' }, flagsOff(union, bits(json['union'])), 0, within(0));
  comparison.compare({ quantity: 'accuracy', part: 'union' }, share(union), Number(accuracy['union']), within(1e-8));
}

/** Losses of the examples whose paths rounding does not decide. */
function compareLosses(
  golden: Golden,
  given: { losses: readonly Float32Array[]; bestLoss: Float32Array; name: string; comparison: Comparison },
): void {
  const { losses, bestLoss, name, comparison } = given;
  const stable = bits(golden['loss_best_stable']);
  const expected = numbers(golden, 'loss_best');
  const off = expected.filter(
    (loss, e) => stable[e] && !(Math.abs(bestLoss[e]! - loss) <= 1e-3 * Math.abs(loss)),
  ).length;
  comparison.compare({ quantity: 'best losses off', part: name }, off, 0, within(0));
  const rows = (golden['loss_steps'] ?? []) as unknown[];
  rows.forEach((row, e) => {
    const steps = numbersOf(row, 'loss_steps');
    // the first steps: later ones depend on step sizes that a loss next to the best decides
    const first = steps.slice(0, 5);
    const actual = first.map((_, t) => losses[t]![e]!);
    if (stable[e])
      comparison.compare({ quantity: 'first losses', part: `${name}, image ${e}` }, actual, first, within(1e-3));
  });
}
