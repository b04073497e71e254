import { crossEntropy, dlr, targetedDlr } from '@bulwark/core';
import { apgdDense, apgdL1, fabRun, goldenRandom, squareSearch } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { within, type Comparison } from '../comparison.js';
import { field, isObject, malformed, type Golden } from '../golden.js';
import { bits, firstValues, numbers, runsOf, shareOff, threatOfCase, type Setting } from './setting.js';

interface Bench {
  readonly setting: Setting;
  readonly comparison: Comparison;
}

/** Positions of the ones of a flag string. */
const positions = (text: unknown) => bits(text).flatMap((flag, i) => (flag === 1 ? [i] : []));

/** One run of APGD per number of iterations: success, best losses, step sizes, first points. */
export async function apgdCase(json: Golden, { setting, comparison }: Bench): Promise<void> {
  const { images, labels } = setting.batch(Number(field(json, 'n_examples')));
  const threat = threatOfCase(json['norm'], json['eps']);
  const l1 = threat.norm.sparse;
  const loss = String(json['loss']).replace('-', '_');
  const targets = loss === 'dlr_targeted' ? tf.tensor1d(numbers(json, 'y_target'), 'int32') : undefined;
  const losses: Record<string, (z: tf.Tensor2D) => tf.Tensor1D> = {
    ce: (z) => crossEntropy(z, labels),
    dlr: (z) => dlr(z, labels),
    dlr_targeted: (z) => targetedDlr(z, labels, targets!),
  };
  if (!losses[loss]) throw malformed(`loss ${loss} is not known`);
  /** DLR is not bounded: its paths part after a few steps in any precision, as do those of l1. */
  const chaotic = loss === 'dlr' || l1;
  for (const run of runsOf(json)) {
    const iterations = Number(field(run, 'n_iter'));
    const part = `${iterations} iterations`;
    const result = await (l1 ? apgdL1 : apgdDense)({
      ...{ images, labels, iterations, loss: losses[loss], rho: Number(json['rho'] ?? 0.75), eot: 1 },
      context: { model: setting.model, threat, random: goldenRandom(Number(json['seed'])) },
      trace: {
        point(point, i) {
          const golden = json[['start', 'iter1', 'iter2'][i] ?? ''];
          // in l1 the second point depends on the number of iterations; the stored one is of the short runs
          if (golden === undefined || (l1 && i === 2 && iterations > 20)) return;
          const values = firstValues(point, golden);
          comparison.compare(
            { quantity: 'share of first points off', part },
            shareOff(values.actual, values.expected, 1e-5),
            0,
            within(0.0005),
          );
        },
      },
    });
    tf.dispose([result.best, result.adversarial]);
    const expected = numbers(run, 'loss_best');
    const n = expected.length;
    comparison.compare(
      { quantity: 'robust flags off', part },
      n * shareOff(result.robust, bits(run['acc']), 0),
      0,
      within(chaotic ? 2 : 1),
    );
    if (chaotic) continue;
    const off = expected.filter(
      (value, e) => !(Math.abs(result.bestLoss[e]! - value) <= 1e-3 * Math.abs(value)),
    ).length;
    comparison.compare({ quantity: 'share of best losses off', part }, off / n, 0, within(0.1));
  }
  targets?.dispose();
}

/** One run of FAB from the images: the minimal norms. */
export async function fabCase(json: Golden, { setting, comparison }: Bench): Promise<void> {
  const threat = threatOfCase(json['norm'], json['eps']);
  for (const run of runsOf(json)) {
    const { images, labels } = setting.batch(numbers(run, 'attacked'));
    const targets = run['la_target'] === undefined ? undefined : tf.tensor1d(numbers(run, 'la_target'), 'int32');
    const { points, distances } = await fabRun({
      ...{ images, labels, targets },
      context: { model: setting.model, threat, random: goldenRandom(0) },
      iterations: Number(field(run, 'n_iter')),
      alphaMax: Number(json['alpha_max'] ?? 0.1),
      eta: Number(json['eta'] ?? 1.05),
      beta: Number(json['beta'] ?? 0.9),
      randomStart: false,
    });
    tf.dispose([points, ...(targets ? [targets] : [])]);
    const expected = numbers(run, 'res');
    const ratios = expected.map((value, e) => distances[e]! / value);
    const part = `${Number(run['n_iter'])} iterations`;
    comparison.compare(
      { quantity: 'minimal norm over the reference', part },
      ratios,
      expected.map(() => 1),
      within(1e-3),
    );
  }
}

/** Square draw by draw: margins and queries. */
export async function squareCase(json: Golden, { setting, comparison }: Bench): Promise<void> {
  const threat = threatOfCase(json['norm'], json['eps']);
  for (const run of [json['run_50'], json['run_300']].filter(isObject)) {
    const batch = setting.batch(positions(run['attacked']));
    const queries = Number(field(run, 'n_queries'));
    const options = {
      queries,
      initialShare: Number(json['p_init'] ?? 0.8),
      loss: json['loss'] === 'ce' ? 'ce' : 'margin',
      rescale: json['resc_schedule'] === true,
    } as const;
    const context = { model: setting.model, threat, random: goldenRandom(Number(json['seed'])) };
    const { best, margins, queries: used } = await squareSearch(batch, options, context);
    best.dispose();
    const expected = numbers(run, 'margin_min');
    const part = `${queries} queries`;
    comparison.compare({ quantity: 'queries', part }, used, numbers(run, 'queries_used'), within(0));
    const allowed = threat.norm.perPixel ? 0 : 1 / expected.length + 1e-9;
    comparison.compare(
      { quantity: 'share of margins off', part },
      shareOff(margins, expected, 1e-4),
      0,
      within(allowed),
    );
  }
}
