import { drawWeights, type NormCounts } from '@bulwark/objectives';
import { exact } from '../comparison.js';
import { numbersOf, type Golden } from '../golden.js';
import { pointTolerance, valueTolerance, type Compare, type StepComparison } from './compare-parts.js';
import type { RecordedUpdate, Values } from './record.js';

const flagsOf = (text: unknown) => [...String(text)].map(Number);

/** The places that the attack of one norm looked at, in order. */
const lookedAt = ({ recorded }: StepComparison, norm: string): RecordedUpdate[] =>
  recorded.updates.filter(({ points }) => norm in points);

/** The point of highest loss of each example, the first of equal ones. */
function bestOf(places: readonly RecordedUpdate[], norm: string): { loss: number[]; points: Values } | undefined {
  const [first] = places;
  if (!first) return undefined;
  const points = first.points[norm]!.slice() as Values;
  const size = points.length / first.loss.length;
  const loss = [...first.loss];
  for (const place of places.slice(1))
    loss.forEach((best, e) => {
      if (!(place.loss[e]! > best)) return;
      loss[e] = place.loss[e]!;
      points.set(place.points[norm]!.slice(e * size, (e + 1) * size), e * size);
    });
  return { loss, points };
}

/** Examples that withstood in a norm; E-AT attacks in one only. */
const robustIn = ({ recorded: { facts } }: StepComparison, norm: string): Values | undefined =>
  facts.get(`robust-${norm}`) ?? facts.get('robust');

/** Best losses, points and robust examples of the attack in each norm. */
const compareAttacks: Compare = (expected, at) => {
  for (const [golden, found] of Object.entries(expected as Golden)) {
    const { lossBest, robust, xBest } = found as Golden;
    const norm = golden.toLowerCase();
    const best = bestOf(lookedAt(at, norm), norm);
    const compare = (quantity: string, own: Values | number[] | undefined, wanted: number[], tolerance: typeof exact) =>
      at.comparison.compare({ quantity: `attacks.${quantity}`, part: `attacks.${golden}` }, own, wanted, tolerance);
    compare('lossBest', best?.loss, numbersOf(lossBest, 'lossBest'), valueTolerance);
    compare('robust', robustIn(at, norm), flagsOf(robust), exact);
    if (xBest !== undefined) compare('xBest', best?.points, numbersOf(xBest, 'xBest'), pointTolerance);
  }
};

/** Names of the norms that `norm`, a finding, is an index into. */
function namesOf({ method }: StepComparison): string[] {
  const { use, source, target, norms } = method.objective;
  return use === 'ramp' ? [String(target), String(source)] : (norms as { norm: string }[]).map(({ norm }) => norm);
}

const compareSelected: Compare = (expected, at) => {
  const names = namesOf(at);
  const wanted = (expected as string[]).map((name) => names.indexOf(name.toLowerCase()));
  at.comparison.compare({ quantity: 'selected' }, at.recorded.facts.get('norm'), wanted, exact);
};

/** Which norm E-AT drew, with which weights, and how many withstood. */
const compareDraw: Compare = (expected, at) => {
  const { weights, norm, robust } = expected as Golden;
  const name = String(norm).toLowerCase();
  const own = drawWeights(at.recorded.valuesBefore as NormCounts);
  at.comparison.compare({ quantity: 'normDraw.weights' }, own, numbersOf(weights, 'weights'), valueTolerance);
  at.comparison.compare(
    { quantity: 'normDraw.norm' },
    at.recorded.facts.get('norm')?.[0],
    namesOf(at).indexOf(name),
    exact,
  );
  const withstood = [...(robustIn(at, name) ?? [])].reduce((sum, flag) => sum + flag, 0);
  at.comparison.compare({ quantity: 'normDraw.robust' }, withstood, Number(robust), exact);
};

const compareSourceCorrect: Compare = (expected, at) => {
  const { values, shape } = at.recorded.logits.get('source')!;
  const classes = shape[1]!;
  const own = at.labels.map((label, e) => {
    const row = [...values.slice(e * classes, (e + 1) * classes)];
    return Number(row.indexOf(Math.max(...row)) === label);
  });
  at.comparison.compare({ quantity: 'sourceCorrect' }, own, flagsOf(expected), exact);
};

/** Every iteration of MSD: the losses of the three candidates, which was chosen, the first points. */
const compareIterations: Compare = (expected, at) => {
  const names = { lossL1: 'l1', lossL2: 'l2', lossLinf: 'linf' };
  const chosen = lookedAt(at, 'worst');
  (expected as Golden[]).forEach((iteration, i) => {
    const part = `iterations[${i}]`;
    for (const [golden, norm] of Object.entries(names)) {
      const own = lookedAt(at, norm)[i]?.loss;
      at.comparison.compare(
        { quantity: `iterations.${golden}`, part },
        own,
        numbersOf(iteration[golden], part),
        valueTolerance,
      );
    }
    const wanted = (iteration['selected'] as string[]).map((name) => Object.values(names).indexOf(name.toLowerCase()));
    at.comparison.compare({ quantity: 'iterations.selected', part }, chosen[i]?.choice?.upper, wanted, exact);
    if (!('point' in iteration)) return;
    const point = numbersOf(iteration['point'], part);
    const own = chosen[i]?.points['worst']!.slice(0, point.length);
    at.comparison.compare({ quantity: 'iterations.point', part }, own, point, pointTolerance);
  });
};

/** What only methods of several norms have. */
export const normFields: Record<string, Compare> = {
  attacks: compareAttacks,
  selected: compareSelected,
  normDraw: compareDraw,
  sourceCorrect: compareSourceCorrect,
  iterations: compareIterations,
};

/** The way of each attack in the first step: the losses of all places, and the first points of the first examples. */
export function compareAttackTrace(trace: Golden, at: StepComparison): void {
  for (const [golden, found] of Object.entries(trace)) {
    const { lossSteps, points, ...rest } = found as Golden;
    const places = lookedAt(at, golden.toLowerCase());
    for (const name of Object.keys(rest)) at.comparison.fail(`trace.${name}`, 'a field that this version cannot check');
    (lossSteps as unknown[] | undefined)?.forEach((losses, i) => {
      const part = `trace.${golden}.lossSteps[${i}]`;
      at.comparison.compare(
        { quantity: 'trace.lossSteps', part },
        places[i]?.loss,
        numbersOf(losses, part),
        valueTolerance,
      );
    });
    (points as unknown[] | undefined)?.forEach((expected, i) => {
      const part = `trace.${golden}.points[${i}]`;
      const wanted = numbersOf(expected, part);
      const own = places[i + 1]?.points[golden.toLowerCase()]!.slice(0, wanted.length);
      at.comparison.compare({ quantity: 'trace.points', part }, own, wanted, pointTolerance);
    });
  }
}
