import { normNames, type CurvePoint, type EvaluationResult, type NormName } from '@bulwark/core';
import { accuracyCurve } from '@bulwark/core/evaluation';
import { radiusUnit, threatText } from '@bulwark/core/threat';
import { attacksOf, isLike } from '../accuracy.js';
import { lineChart, type Lines } from '../chart/lines.js';
import { charts, figure } from '../page/figure.js';
import { html, type Html } from '../page/html.js';
import type { RunRecord } from '../read-run.js';
import { accuracyAxis, runLooks } from './curves.js';

/** Accuracy over the radius of one run: same checkpoint, effort, attacks and images at every point. */
export interface RadiusCurve {
  readonly run: RunRecord;
  readonly norm: NormName;
  /** How it was measured, in words: what curves have to share to be drawn together. */
  readonly protocol: string;
  readonly points: readonly CurvePoint[];
}

/** The attacks of a curve's points; those that only some points have are said to be of these. */
function attacksText(results: readonly EvaluationResult[]): string {
  const texts = [...new Set(results.flatMap(attacksOf))].map((attack) => {
    const at = results.filter((result) => attacksOf(result).includes(attack));
    if (at.length === results.length) return attack;
    return `${attack} within ${at.map(({ threat }) => threatText(threat)).join(' and ')} only`;
  });
  return texts.join(', ');
}

/** Every curve of a run that has at least two radii besides 0. */
export function radiusCurves(run: RunRecord): RadiusCurve[] {
  const left = new Set(run.evaluations.filter(({ result }) => result.complete));
  const curves: RadiusCurve[] = [];
  for (const found of left) {
    const { tier, data, threat } = found.result;
    const same = [...left].filter((other) => isLike(found, other) && other.result.threat.norm === threat.norm);
    same.forEach((each) => left.delete(each));
    const results = same.map(({ result }) => result);
    const points = accuracyCurve(results);
    if (points.length < 3) continue;
    const protocol = `${attacksText(results)}; tier ${tier}, ${found.checkpoint} checkpoint, ${data.count} images`;
    curves.push({ run, norm: threat.norm, protocol, points });
  }
  return curves;
}

/** Curves of one norm and one protocol in one chart, with bands of 95 %. */
export function radiusChart(curves: readonly RadiusCurve[]): Lines {
  const [{ norm }] = curves as [RadiusCurve];
  const { factor, name } = radiusUnit(norm);
  const at = curves.flatMap(({ run, points }) =>
    points.map((point) => ({ series: run.label, x: factor * point.epsilon, point })),
  );
  const radii = [...new Set(at.map(({ x }) => Number(x.toFixed(4))))].sort((a, b) => a - b);
  return {
    x: { title: `radius, ${norm} (${name})`, domain: [0, radii.at(-1)!], ...(radii.length <= 8 && { values: radii }) },
    y: { ...accuracyAxis('accuracy'), domain: [0, 1] },
    points: at.map(({ series, x, point }) => ({ series, x, y: point.accuracy })),
    bands: at.map(({ series, x, point: { interval } }) => ({ series, x, low: interval[0], high: interval[1] })),
    looks: runLooks(curves.map(({ run }) => run)),
  };
}

/** Curves that may be drawn together: of one norm, measured in one way. */
export function chartsOf(runs: readonly RunRecord[]): { norm: NormName; protocol: string; curves: RadiusCurve[] }[] {
  const all = runs.flatMap(radiusCurves);
  return normNames.flatMap((norm) => {
    const own = all.filter((curve) => curve.norm === norm);
    return [...new Set(own.map(({ protocol }) => protocol))].map((protocol) => ({
      norm,
      protocol,
      curves: own.filter((curve) => curve.protocol === protocol),
    }));
  });
}

/** Accuracy over the radius, where evaluations tell it; nothing where they do not. */
export async function radiusSection(runs: readonly RunRecord[]): Promise<Html | undefined> {
  const groups = chartsOf(runs);
  if (groups.length === 0) return undefined;
  const figures = groups.map(({ norm, protocol, curves }) =>
    figure(
      lineChart(radiusChart(curves)),
      `Accuracy over the radius, ${norm}`,
      `${protocol}; worst case per image, bands: 95 % intervals`,
    ),
  );
  return html`<h2>Accuracy over the radius</h2>
    ${charts(await Promise.all(figures))}`;
}
