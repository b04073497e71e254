import { ddn, fmn, goldenRandom, type MinimumNormRun } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { within, type Comparison } from '../comparison.js';
import { field, isObject, malformed, objectField, toTensor, type Golden } from '../golden.js';
import { bits, numbers, runsOf, threatOfCase, type Setting } from './setting.js';

/** What each step saw: first image's point, then one flag and one length per example. */
interface Seen {
  readonly first: Float32Array;
  readonly adversarial: ArrayLike<number>;
  readonly length: ArrayLike<number>;
}

/** Runs the attack of a case with the parameters of one of its runs. */
async function runAttack(json: Golden, run: Golden, { common, setting }: { common: MinimumNormRun; setting: Setting }) {
  const number = (name: string) => Number(field(run, name));
  const attack = String(json['attack']).toLowerCase();
  if (attack === 'ddn')
    return ddn({
      ...common,
      firstRadius: number('init_norm'),
      gamma: number('gamma'),
      random: goldenRandom(0),
      ...(run['levels'] !== null && { levels: number('levels') }),
    });
  if (attack !== 'fmn') throw malformed(`attack ${attack} is not known; known: fmn, ddn`);
  const from = run['starting_image_index'] as number[] | undefined;
  return fmn({
    ...common,
    norm: threatOfCase(json['norm'], 0).norm,
    stepSize: number('alpha_init'),
    gamma: { first: number('gamma_init'), last: number('gamma_final') },
    ...(from && { start: { points: setting.batch(from).images, bisections: number('binary_search_steps') } }),
  });
}

/** Relative differences, by which norms are compared. */
const relativeOff = (actual: ArrayLike<number>, expected: readonly number[], allowed: number) =>
  expected.filter((value, e) => !(Math.abs(actual[e]! - value) <= allowed * Math.max(value, 1e-6))).length;

/** FMN and DDN: every stored step of the first images, and the nearest norms of all. */
export async function minimumNormCase(
  json: Golden,
  { setting, comparison }: { setting: Setting; comparison: Comparison },
): Promise<void> {
  const { norm } = threatOfCase(json['norm'], 0);
  const bestNorms: Float32Array[] = [];
  for (const [at, run] of runsOf(json).entries()) {
    const { images, labels } = setting.batch(Number(field(run, 'n_examples')));
    const seen: Seen[] = [];
    const targets = run['targets'] === undefined ? undefined : tf.tensor1d(numbers(run, 'targets'), 'int32');
    const common: MinimumNormRun = {
      ...{ images, labels, model: setting.model, steps: Number(field(run, 'steps')) },
      ...(targets && { targets }),
      trace: ({ point, adversarial, length }) =>
        void seen.push({
          first: tf.tidy(() => tf.slice(point, 0, 1).dataSync().slice() as Float32Array),
          adversarial: adversarial.dataSync().slice(),
          length: length.dataSync().slice(),
        }),
    };
    const points = await runAttack(json, run, { common, setting });
    const best = tf.tidy(() => norm.measure(tf.sub(points, images)).dataSync().slice() as Float32Array);
    bestNorms.push(best);
    tf.dispose([points, ...(targets ? [targets] : [])]);
    compareRun(run, { seen, best, comparison, part: `run ${at}` });
  }
  if (isObject(json['robustness_curve'])) compareCurve(json, bestNorms, comparison);
}

function compareRun(
  run: Golden,
  given: { seen: readonly Seen[]; best: Float32Array; comparison: Comparison; part: string },
): void {
  const { seen, best, comparison, part } = given;
  const stable = bits(field(run, 'stable'));
  const bytes = typeof run['levels'] === 'number' ? 1 / (run['levels'] - 1) : 0;
  (run['points'] as unknown[]).forEach((golden, t) => {
    const expected = tf.tidy(() => toTensor(golden, 'points').dataSync().slice() as Float32Array);
    const point = seen[t + 1]!.first;
    // a pixel next to a rounding boundary may fall to the other of two bytes
    const off = expected.filter((value, j) => !(Math.abs(point[j]! - value) <= 1e-5)).length;
    comparison.compare(
      { quantity: 'share of first points off', part },
      off / expected.length,
      0,
      within(bytes ? 0.01 : 0),
    );
  });
  const off = stepsOff(run, { seen, stable, bytes });
  comparison.compare({ quantity: 'flags and norms of the first steps off', part }, off.first, 0, within(0));
  comparison.compare({ quantity: 'share of all flags and norms off', part }, off.all, 0, within(0.01));
  comparison.compare(
    { quantity: 'nearest norms off', part },
    relativeOff(best, numbers(run, 'best_norm'), 1e-3),
    0,
    within(1),
  );
  const nothing = bits(field(run, 'found')).flatMap((flag, e) => (flag === 0 ? [best[e]!] : []));
  comparison.compare(
    { quantity: 'norm where nothing was found', part },
    nothing,
    nothing.map(() => 0),
    within(0),
  );
}

/** From here on a point so near the boundary that float32 decides its flag may have changed the radius of the next. */
const firstSteps = 10;

/** Steps of the first images whose flag or norm differs: how many of the first steps, and which share of all. */
function stepsOff(
  run: Golden,
  { seen, stable, bytes }: { seen: readonly Seen[]; stable: readonly number[]; bytes: number },
): { first: number; all: number } {
  const norms = run['norm_per_step'] as number[][];
  const steps = (run['is_adversarial_per_step'] as string[]).flatMap((flags, e) => {
    // ties decide the others
    if (!stable[e]) return [];
    const allowed = bytes || 1e-3 * Math.max(...norms[e]!, 1e-3);
    return bits(flags).map((flag, t) => ({
      t,
      off: seen[t]!.adversarial[e] !== flag || !(Math.abs(seen[t]!.length[e]! - norms[e]![t]!) <= allowed),
    }));
  });
  return {
    first: steps.filter(({ t, off }) => off && t < firstSteps).length,
    all: steps.filter(({ off }) => off).length / steps.length,
  };
}

/** Share of the images whose nearest norm exceeds each radius. */
function compareCurve(json: Golden, bestNorms: readonly Float32Array[], comparison: Comparison): void {
  const curve = objectField(json, 'robustness_curve');
  const best = bestNorms[Number(field(curve, 'run'))]!;
  const shares = numbers(curve, 'eps').map((epsilon) => best.filter((length) => length > epsilon).length / best.length);
  comparison.compare({ quantity: 'accuracy over radius' }, shares, numbers(curve, 'robust_fraction'), within(1e-9));
}
