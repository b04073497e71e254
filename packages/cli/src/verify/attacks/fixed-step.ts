import { logitsOf, margin } from '@bulwark/core';
import { fixedStepAttack, goldenRandom, momentum, type FixedStep } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { within, type Comparison } from '../comparison.js';
import { isObject, objectField, type Golden } from '../golden.js';
import { firstValues, runsOf, shareOff, stepSizeOfCase, threatOfCase, type Setting } from './setting.js';

/** Which loop each file holds. */
const files: Readonly<Record<string, Pick<FixedStep, 'loss' | 'start'> & { momentum?: boolean }>> = {
  fgsm: { loss: 'ce', start: 'image' },
  ifgsm: { loss: 'ce', start: 'image' },
  mifgsm: { loss: 'ce', start: 'image', momentum: true },
  pgd: { loss: 'ce', start: 'random' },
  pgd_trades: { loss: 'ce', start: 'random' },
  cw_inf: { loss: 'margin', start: 'random' },
};

export const isFixedStep = (name: string): boolean => name in files;

/** FGSM, I-FGSM, MI-FGSM, PGD and C&W-linf on all images: stored iterates, final points, predictions and margins. */
export function fixedStepCase(
  json: Golden,
  name: string,
  { setting, comparison }: { setting: Setting; comparison: Comparison },
): void {
  const { momentum: accumulates, ...kind } = files[name]!;
  const batch = setting.batch(setting.images.labels.length);
  const threat = threatOfCase('Linf', json['eps']);
  for (const run of runsOf(json)) {
    const steps = Number(run['steps'] ?? json['steps'] ?? 1);
    const stepSize = json['alpha'] === undefined ? threat.epsilon : stepSizeOfCase(json['alpha']);
    const attack = (count: number) => {
      const accumulator = accumulates ? momentum(Number(run['decay'] ?? 1)) : undefined;
      const context = { model: setting.model, threat, random: goldenRandom(Number(json['seed'] ?? 0)) };
      const options = { ...kind, steps: count, stepSize, transform: accumulator?.transform };
      const points = fixedStepAttack(batch, options, context);
      accumulator?.dispose();
      return points;
    };
    const compareImages = (quantity: string, points: tf.Tensor, golden: unknown) => {
      const values = firstValues(points, golden);
      // a gradient near zero may turn a pixel by a whole step: 1 % of the pixels of 5 % of the images
      comparison.compare(
        { quantity, part: `${steps} steps` },
        shareOff(values.actual, values.expected, 1e-6),
        0,
        within(0.0005),
      );
    };
    for (const iterate of Array.isArray(run['iterates']) ? run['iterates'].filter(isObject) : []) {
      const points = attack(Number(iterate['t']));
      compareImages(`share of pixels off after ${Number(iterate['t'])} steps`, points, iterate['x']);
      points.dispose();
    }
    const points = attack(steps);
    compareImages('share of final pixels off', points, run['x_adv']);
    const all = objectField(run, 'all');
    const { margins, classes } = tf.tidy(() => {
      const logits = logitsOf(setting.model, points);
      return { margins: tf.neg(margin(logits, batch.labels)).dataSync(), classes: tf.argMax(logits, 1).dataSync() };
    });
    points.dispose();
    const part = `${steps} steps`;
    comparison.compare(
      { quantity: 'share of margins off', part },
      shareOff(margins, all['margin'] as number[], 1e-4),
      0,
      within(0.05),
    );
    comparison.compare(
      { quantity: 'share of predictions off', part },
      shareOff(classes, all['pred'] as number[], 0),
      0,
      within(0),
    );
  }
}
