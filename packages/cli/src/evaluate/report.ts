import type { Accuracy, CurvePoint, EvaluationResult } from '@bulwark/core';
import { wilsonInterval } from '@bulwark/core/evaluation';
import { threatText } from '@bulwark/core/threat';
import { duration, percent } from '../terminal/output.js';
import { table } from '../terminal/table.js';

const interval = ([low, high]: readonly [number, number]) => `${percent(low)} to ${percent(high)}`;
const count = (flags: string, flag: string) => [...flags].filter((other) => other === flag).length;

/** One row per attack: what it was run on, what it left. */
function attackTable(result: EvaluationResult): string {
  const rows = result.attacks.map((entry) => [
    entry.ensemble === undefined ? entry.label : `${entry.ensemble} / ${entry.label}`,
    entry.attacked,
    count(entry.flags, '0'),
    percent(entry.accuracy),
    // what it broke within a smaller radius is not measured again
    entry.attacked === 0 ? '-' : entry.linf.max.toFixed(4),
    entry.attacked === 0 ? '-' : entry.l2.max.toFixed(3),
    duration(entry.seconds),
    entry.attacked === 0 ? '-' : (entry.attacked / Math.max(entry.seconds, 1e-9)).toFixed(1),
  ]);
  return table(['attack', 'images', 'broken', 'accuracy %', 'max linf', 'max l2', 'time', 'images/s'], rows);
}

/** Half of the images that were attacked have something at most so far away; those without count as infinitely far. */
function median(distances: readonly number[]): number {
  const sorted = distances.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/** What attacks found that seek the smallest perturbation. */
function minimumNorms({ attacks, threat }: EvaluationResult): string[] {
  return attacks.flatMap(({ label, ensemble, distances, flags: seen }) => {
    if (!distances || ensemble !== undefined) return [];
    const attacked = distances.filter((_, i) => seen[i] === '0' || seen[i] === '1').map((found) => found ?? Infinity);
    if (attacked.length === 0) return [];
    const found = attacked.filter(Number.isFinite);
    const half = median(attacked);
    const middle = Number.isFinite(half) ? threatText({ norm: threat.norm, epsilon: half }) : 'none';
    return [`${label}: smallest perturbations of ${found.length} of ${attacked.length} images, median ${middle}`];
  });
}

/** Clean and worst-case accuracy with their 95 % intervals, and the classes at the ends. */
function totals({ clean, worst, repeats, arithmetic }: EvaluationResult, classNames: readonly string[]): string[] {
  const { class: lowest, robust } = worst.worstClass;
  const { count: images } = worst.perClass.find(({ class: k }) => k === lowest)!;
  const between = interval(wilsonInterval(Math.round(robust * images), images));
  const name = (k: number) => classNames[k] ?? String(k);
  return [
    `clean          ${percent(clean.accuracy)} %  (95 % interval ${interval(clean.interval)})`,
    `worst case     ${percent(worst.accuracy)} %  (95 % interval ${interval(worst.interval)})`,
    `worst class    ${percent(robust)} %  (${name(lowest)}; 95 % interval ${between} on ${images} images)`,
    ...(repeats === undefined ? [] : [`every answer is the most frequent of ${repeats} passes`]),
    ...(arithmetic === undefined ? [] : [`not float32 throughout: ${arithmetic}`]),
  ];
}

function classTable({ worst }: EvaluationResult, classNames: readonly string[]): string {
  const mistaken = (k: number) => {
    const others = worst.confusion[k]!.map((number, other) => ({ number, other })).filter(({ other }) => other !== k);
    const most = others.reduce((a, b) => (b.number > a.number ? b : a));
    return most.number === 0 ? '-' : `${classNames[most.other] ?? most.other} (${most.number})`;
  };
  const rows = worst.perClass.map(({ class: k, count: images, clean, robust }) => [
    classNames[k] ?? String(k),
    images,
    percent(clean),
    percent(robust),
    interval(wilsonInterval(Math.round(robust * images), images)),
    mistaken(k),
  ]);
  return table(['class', 'images', 'clean %', 'robust %', '95 % interval of it', 'most often taken for'], rows);
}

/** Accuracy over the radius, one line for each. */
export function curveReport({ threat: { norm }, data }: EvaluationResult, curve: readonly CurvePoint[]): string[] {
  const rows = curve.map(({ epsilon, accuracy, interval: ends }) => [
    threatText({ norm, epsilon }),
    percent(accuracy),
    interval(ends),
  ]);
  return [`accuracy over the radius, ${data.count} images`, '', table(['within', 'accuracy %', '95 % interval'], rows)];
}

/** The worst case of each of several threat models, and of their union. */
export function unionReport(results: readonly EvaluationResult[], union: Accuracy): string[] {
  const rows = results.map(({ threat, worst }) => [
    threatText(threat),
    percent(worst.accuracy),
    interval(worst.interval),
  ]);
  const all = ['union of all', percent(union.accuracy), interval(union.interval)];
  return [
    `worst case in several norms, ${results[0]!.data.count} images`,
    '',
    table(['within', 'accuracy %', '95 % interval'], [...rows, all]),
  ];
}

/** What the full tier means where the model has too few classes for its attacks. */
const otherParts = 'AutoAttack with other parts, as the model has few classes: not the figure that papers compare';
const isOther = ({ tier, attacks }: EvaluationResult) =>
  tier === 'full' && attacks.every(({ ensemble }) => ensemble !== 'autoattack-standard');

/** The whole report for people. */
export function evaluationReport(
  result: EvaluationResult,
  { classNames, meaning }: { classNames: readonly string[]; meaning: string | undefined },
): string[] {
  const findings = result.findings.flatMap(({ id, what, meaning: why, hint }) => [
    `trust check ${id}: ${what}`,
    `  ${why}`,
    `  ${hint}`,
  ]);
  return [
    `tier ${result.tier}${meaning ? `: ${isOther(result) ? otherParts : meaning}` : ''}`,
    '',
    attackTable(result),
    '',
    ...minimumNorms(result),
    ...totals(result, classNames),
    '',
    classTable(result, classNames),
    '',
    ...(findings.length > 0 ? findings : ['trust checks: nothing found']),
  ];
}
