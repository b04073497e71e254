import { crossEntropy, logitsOf, takeExamples, type ThreatModel } from '@bulwark/core';
import {
  apgd,
  apgdDense,
  apgdRecipe,
  fabAttack,
  fabRecipe,
  goldenRandom,
  type ApgdOptions,
} from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { within, type Comparison } from '../comparison.js';
import { field, malformed, type Golden } from '../golden.js';
import { bits, flagsOff, numbers, runsOf, threatOfCase, type Setting } from './setting.js';

interface Bench {
  readonly setting: Setting;
  readonly comparison: Comparison;
}

/** What a run's label says: `apgd-t n_iter=10 n_target_classes=3 n_restarts=2`, `untargeted L1 n_restarts=2 n_iter=20`. */
function readLabel(label: string) {
  const number = (name: string, fallback: number) =>
    Number(new RegExp(`\\b${name}=(\\d+)`).exec(label)?.[1] ?? fallback);
  return {
    what: label.split(' ')[0]!,
    iterations: number('n_iter', apgdRecipe.iterations),
    restarts: number('n_restarts', apgdRecipe.restarts),
    targets: number('n_target_classes', apgdRecipe.targets),
    largeRadii: /\buse_largereps\b/.test(label),
    bestLoss: /\bbest_loss\b/.test(label),
    seed: Number(/\bseed (\d+)/.exec(label)?.[1] ?? NaN),
    norm: /\b(Linf|L2|L1)\b/.exec(label)?.[1],
  };
}

const threatOfRun = (run: Golden, json: Golden, label: ReturnType<typeof readLabel>): ThreatModel =>
  threatOfCase(run['norm'] ?? label.norm ?? json['norm'], run['eps'] ?? json['eps']);

const losses: Readonly<Record<string, ApgdOptions['loss']>> = {
  'apgd-ce': 'ce',
  'apgd-dlr': 'dlr',
  'apgd-t': 'dlr-targeted',
};

/** The mode of the official code that wants the highest loss, whether misclassified or not: the best point of all restarts. */
async function highestLoss(
  { setting }: Bench,
  options: { threat: ThreatModel; seed: number; iterations: number; restarts: number },
): Promise<tf.Tensor4D> {
  const { threat, seed, iterations, restarts } = options;
  const { images, labels } = setting.batch(setting.images.labels.length);
  const random = goldenRandom(seed);
  let best = images.clone();
  let bestLoss = new Float32Array(labels.size).fill(-Infinity);
  for (let restart = 0; restart < restarts; restart++) {
    const found = await apgdDense({
      ...{ images, labels, iterations, rho: apgdRecipe.rho, eot: apgdRecipe.eot },
      loss: (z) => crossEntropy(z, labels),
      context: { model: setting.model, threat, random },
    });
    const better = found.bestLoss.map((loss, e) => Number(loss > bestLoss[e]!));
    bestLoss = bestLoss.map((loss, e) => Math.max(loss, found.bestLoss[e]!));
    const before = best;
    best = tf.tidy(() => tf.where(tf.cast(tf.tensor4d(better, [better.length, 1, 1, 1]), 'bool'), found.best, before));
    tf.dispose([before, found.best, found.adversarial]);
  }
  return best;
}

/** Flags of the images that are still classified correctly at these points, which are disposed. */
function robustAt(points: tf.Tensor4D, { setting }: Bench): number[] {
  const { labels } = setting.batch(setting.images.labels.length);
  const flags = tf.tidy(() =>
    [...tf.equal(tf.argMax(logitsOf(setting.model, points), 1), labels).dataSync()].map(Number),
  );
  points.dispose();
  return flags;
}

/** How many flags may differ: DLR has no upper bound, and its paths part after a few steps in any precision. */
const slackOf = (loss: ApgdOptions['loss']) => (loss === 'dlr' ? 3 : 1);

/** APGD with restarts, target classes and best-loss mode on all images: who is left. */
export async function apgdPerturbCase(json: Golden, bench: Bench): Promise<void> {
  const { setting, comparison } = bench;
  for (const run of runsOf(json)) {
    const part = String(field(run, 'label'));
    const label = readLabel(part);
    const loss = losses[label.what];
    if (!loss) throw malformed(`${label.what} is not known; known: ${Object.keys(losses).join(', ')}`);
    const threat = threatOfRun(run, json, label);
    const { iterations, restarts, targets, largeRadii } = label;
    const seed = Number.isNaN(label.seed) ? Number(json['seed']) : label.seed;
    const batch = setting.batch(setting.images.labels.length);
    const points = label.bestLoss
      ? await highestLoss(bench, { threat, seed, iterations, restarts })
      : await apgd(
          batch,
          { ...apgdRecipe, loss, iterations, restarts, targets, largeRadii },
          { model: setting.model, threat, random: goldenRandom(seed) },
        );
    const [robust, expected] = [robustAt(points, bench), bits(run['robust'])];
    if (largeRadii) {
      // the official code counts rounding residues as changed pixels there: only the number is comparable
      const count = (flags: readonly number[]) => flags.reduce((sum, flag) => sum + flag, 0);
      comparison.compare({ quantity: 'robust images, l1', part }, count(robust), count(expected), within(4));
    } else
      comparison.compare(
        { quantity: `robust flags off, ${loss}`, part },
        flagsOff(robust, expected),
        0,
        within(slackOf(loss)),
      );
  }
}

/** FAB with restarts and target classes on all images: who is left, and the norms of what was found. */
export async function fabPerturbCase(json: Golden, bench: Bench): Promise<void> {
  const { setting, comparison } = bench;
  for (const run of runsOf(json)) {
    const part = String(field(run, 'label'));
    const label = readLabel(part);
    const threat = threatOfRun(run, json, label);
    const attack = fabAttack({
      ...{ ...fabRecipe, iterations: label.iterations, restarts: label.restarts },
      targets: label.what === 'targeted' ? label.targets : 0,
    });
    const batch = takeExamples(setting.images, [...setting.images.labels.keys()]);
    const context = { model: setting.model, threat, random: goldenRandom(Number(json['seed'])) };
    const points = await attack.run(batch.images, batch.labels, context);
    const lengths = tf.tidy(() => threat.norm.measure(tf.sub(points, batch.images)).dataSync().slice());
    tf.dispose([batch.images, batch.labels]);
    const [robust, expected] = [robustAt(points, bench), bits(run['robust'])];
    comparison.compare({ quantity: 'robust flags off', part }, flagsOff(robust, expected), 0, within(0));
    const { name } = threat.norm;
    if (!(name in run)) continue;
    const golden = numbers(run, name);
    const broken = golden.flatMap((length, e) => (length > 0 && !expected[e] ? [lengths[e]! / length] : []));
    const off = broken.filter((ratio) => !(Math.abs(ratio - 1) <= 1e-3)).length;
    comparison.compare({ quantity: 'minimal norms off', part }, off, 0, within(1));
  }
}
