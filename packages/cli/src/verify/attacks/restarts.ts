import { logitsOf, norms } from '@bulwark/core';
import { bump, fixedStepAttack, goldenRandom, shareAt, sideAt, squareSearch } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { within, type Comparison } from '../comparison.js';
import { field, isObject, type Golden } from '../golden.js';
import { bits, flagsOff, numbers, runsOf, shareOff, stepSizeOfCase, threatOfCase, type Setting } from './setting.js';

interface Bench {
  readonly setting: Setting;
  readonly comparison: Comparison;
}

/** PGD as RST evaluates: an example is robust if every point of every restart, one seed each, is classified correctly. */
export function pgdRstCase(json: Golden, { setting, comparison }: Bench): void {
  const batch = setting.batch(setting.images.labels.length);
  const threat = threatOfCase('Linf', json['eps']);
  for (const run of runsOf(json)) {
    const part = String(run['name'] ?? `${Number(run['steps'])} steps`);
    const attack = (seed: number, keep: 'any' | 'last') => {
      const start = run['random_start'] === true ? 'random' : 'image';
      const options = {
        loss: 'ce',
        start,
        keep,
        steps: Number(run['steps']),
        stepSize: stepSizeOfCase(run['alpha']),
      } as const;
      const points = fixedStepAttack(batch, options, { model: setting.model, threat, random: goldenRandom(seed) });
      const correct = tf.tidy(() =>
        [...tf.equal(tf.argMax(logitsOf(setting.model, points), 1), batch.labels).dataSync()].map(Number),
      );
      points.dispose();
      return correct;
    };
    const seeds = numbers(run, 'seeds');
    let robust = bits(field(run, 'natural_correct'));
    const left = seeds.map((seed) => {
      const correct = attack(seed, 'any');
      robust = robust.map((flag, e) => flag * correct[e]!);
      return robust.reduce((sum, flag) => sum + flag, 0);
    });
    comparison.compare(
      { quantity: 'robust flags off', part },
      flagsOff(robust, bits(run['robust_after_all'])),
      0,
      within(0),
    );
    if (run['n_robust_after_restart'] !== undefined)
      comparison.compare(
        { quantity: 'robust after each restart', part },
        left,
        numbers(run, 'n_robust_after_restart'),
        within(0),
      );
    const last = run['robust_last_iterate_first_restart'];
    if (last !== undefined)
      comparison.compare(
        { quantity: 'last point, flags off', part },
        flagsOff(attack(seeds[0]!, 'last'), bits(last)),
        0,
        within(0),
      );
  }
}

/** Square with several seeds, losses and schedules on all images, and the parts that it is made of. */
export async function squareSeedsCase(json: Golden, { setting, comparison }: Bench): Promise<void> {
  const threat = threatOfCase(json['norm'], json['eps']);
  const all = setting.batch(setting.images.labels.length);
  const clean = tf.tidy(() => [...tf.equal(tf.argMax(logitsOf(setting.model, all.images), 1), all.labels).dataSync()]);
  const attacked = clean.flatMap((flag, i) => (flag ? [i] : []));
  const batch = setting.batch(attacked);
  for (const run of runsOf(json)) {
    const loss = run['loss'] === 'ce' ? 'ce' : 'margin';
    const rescale = run['resc_schedule'] === true;
    const part = `${loss}${rescale ? ', rescaled' : ''}, seed ${Number(run['seed'])}`;
    const options = {
      queries: Number(json['n_queries']),
      initialShare: Number(json['p_init'] ?? 0.8),
      loss,
      rescale,
    } as const;
    const context = { model: setting.model, threat, random: goldenRandom(Number(run['seed'])) };
    const { best, margins, queries } = await squareSearch(batch, options, context);
    best.dispose();
    const robust = clean.map(() => 0);
    attacked.forEach((i, k) => (robust[i] = margins[k]! > 0 ? 1 : 0));
    // a margin next to 0 decides who goes on, and with it the draws of everybody
    comparison.compare({ quantity: 'robust flags off', part }, flagsOff(robust, bits(run['robust'])), 0, within(1));
    const used = numbers(run, 'queries_used');
    comparison.compare({ quantity: 'share of queries off', part }, shareOff(queries, used, 0), 0, within(0.05));
    comparison.compare(
      { quantity: 'share of margins off', part },
      shareOff(margins, numbers(run, 'margin_min'), 1e-3),
      0,
      within(0.05),
    );
  }
  if (isObject(json['p_schedule'])) compareSchedule(json['p_schedule'], comparison);
  for (const golden of ((json['eta_rectangles'] ?? []) as unknown[]).filter(isObject)) {
    const values = bump(Number(golden['rows']), Number(golden['cols']), norms[golden['norm'] === 'L2' ? 'l2' : 'l1']);
    comparison.compare({ quantity: 'bumps' }, values, (golden['out'] as number[][]).flat(), within(1e-7));
  }
}

/** Share of the pixels and side of the square at some iterations. */
function compareSchedule(schedule: Golden, comparison: Comparison): void {
  const initial = Number(field(schedule, 'p_init'));
  const at = (name: string, queries: number, rescale: boolean) => {
    const expected = numbers(schedule, name);
    const shares = numbers(schedule, 'iters')
      .slice(0, expected.length)
      .map((i) => shareAt(i, { initial, queries, rescale }));
    comparison.compare({ quantity: `schedule, ${name.replace('_', ' ')}` }, shares, expected, within(1e-9));
    return shares;
  };
  const shares = at('fixed', 10000, false);
  if ('rescaled_5000' in schedule) at('rescaled_5000', 5000, true);
  for (const name of Object.keys(schedule).filter((key) => key.startsWith('side_linf_'))) {
    const [height, width] = name.replace('side_linf_', '').split('x').map(Number) as [number, number];
    const sides = shares.map((share) => sideAt(share, { height, width, smooth: false }));
    comparison.compare({ quantity: `sides, ${height}x${width}` }, sides, numbers(schedule, name), within(0));
  }
}
