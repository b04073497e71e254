import { crossEntropy, strongestWrongClass } from '@bulwark/core';
import { rolesOfPass } from '@bulwark/core/hooks';
import { chooseSides, sideIndex } from '@bulwark/objectives';
import { exact } from '../comparison.js';
import { numbersOf, type Golden } from '../golden.js';
import {
  compareNamed,
  compareOne,
  fromLogits,
  gradientTolerance,
  logitsOf,
  meanOf,
  pointTolerance,
  stateTolerance,
  valueTolerance,
  type Compare,
  type StepComparison,
} from './compare-parts.js';
import { roleOf } from './method-fields.js';
import { methodFields } from './compare-methods.js';
import { compareAttackTrace, normFields } from './compare-norms.js';
import type { Named, Values } from './record.js';

/** Golden names of loss terms, without their number, by the names of an objective's terms. */
const termNames: Record<string, string> = {
  ce: 'classification',
  natural: 'classification',
  boostedCrossEntropy: 'classification',
  weightedCe: 'classification',
  regularizer: 'regularizer',
  weightedKl: 'regularizer',
  entropyUnlabeled: 'entropy',
  bridge: 'bridge',
  linErr: 'linearity',
  alignment: 'alignment',
  weightedBoostedCrossEntropy: 'classification',
  weightedMse: 'squares',
  softCrossEntropy: 'soft-cross-entropy',
  clean: 'classification',
  mse: 'guidance',
  teacherCe: 'companion',
  kl: 'regularizer',
  ceLinf: 'linf',
  ceBest: 'classification',
};

/** Value of a golden loss: a term, or what the authors' code reports beside its terms. */
function lossValue(name: string, at: StepComparison): number | undefined {
  const adversarialCe = () => meanOf(fromLogits(at, (labels) => crossEntropy(logitsOf(at, 'adversarial'), labels)));
  const { terms } = at.recorded;
  if (terms.has(name)) return terms.get(name);
  if (name === 'kl' && terms.has('pairing')) return terms.get('pairing');
  if (/^ceL\d$/.test(name)) return terms.get(name.slice(2).toLowerCase());
  if (name === 'advCrossEntropy' || (name === 'ce' && at.recorded.facts.has('weight'))) return adversarialCe();
  if (name === 'advMargin') return terms.get('classification')! - adversarialCe();
  const [, word = name, index = ''] = /^([a-zA-Z]+)(\d*)$/.exec(name) ?? [];
  const term = termNames[word];
  const value = term === undefined ? undefined : terms.get(index ? `${term}-${index}` : term);
  return name === 'natural' && value !== undefined ? value - at.targetEntropy : value;
}

/** Final sides of Squeeze Training, chosen at the outer logits as the regularizer chooses them. */
function finalSide(at: StepComparison, side: 'upper' | 'lower'): Values {
  const logits = ['natural', 'collaborative', 'adversarial'].map((role) => logitsOf(at, role));
  const triplet = logits as unknown as Parameters<typeof chooseSides>[0];
  return fromLogits(at, (labels) => sideIndex(chooseSides(triplet, labels)[side]));
}

/** Point of a golden field such as `xAdv2`; bridged training's adversarial point is its last bridge. */
function pointOf({ recorded }: StepComparison, name: string): Values | undefined {
  const role = roleOf(name.slice(1));
  return recorded.points.get(role) ?? (role === 'adversarial' ? [...recorded.points.values()].at(-1) : undefined);
}

const parameterNames = ({ golden }: StepComparison) => golden.parameterNames;
const statisticNames = ({ golden }: StepComparison) => golden.statisticNames;
const directions = ({ recorded, method }: StepComparison): Named =>
  new Map([...recorded.offsets].map(([name, offset]) => [name, offset.map((value) => value / method.gamma)]));

const side: Compare = compareOne((at, name) => finalSide(at, name as 'upper' | 'lower'), exact);
const point: Compare = compareOne(pointOf, pointTolerance);

const compareLosses: Compare = (expected, at) => {
  for (const [name, value] of Object.entries(expected as Golden)) {
    const part = `steps[${at.index}].losses.${name}`;
    at.comparison.compare({ quantity: 'losses', part }, lossValue(name, at), numbersOf(value, part), valueTolerance);
  }
};

/** Logits by their golden name: those of a teacher are a finding, or those of a companion; those of a joint pass stand together. */
function goldenLogits(name: string, { recorded }: StepComparison): Values | undefined {
  if (name === 'teacherNat') return recorded.logits.get('companion@natural')?.values ?? recorded.facts.get('teacher');
  const pieces = rolesOfPass(roleOf(name)).map((role) => recorded.logits.get(role)?.values);
  if (pieces.some((piece) => piece === undefined)) return undefined;
  return Float32Array.from(pieces.flatMap((piece) => [...piece!]));
}

const compareLogits: Compare = (expected, at) => {
  for (const [name, value] of Object.entries(expected as Golden)) {
    const part = `steps[${at.index}].logits.${name}`;
    const own = goldenLogits(name, at);
    at.comparison.compare({ quantity: 'logits', part }, own, numbersOf(value, part), valueTolerance);
  }
};

/** Repeated passes may be computed once, but running statistics must be updated as often as in the reference. */
const compareForwardLog: Compare = (expected, at) => {
  if (at.golden.statisticNames.size === 0) return; // without BatchNorm the mode has no effect
  const updates = (expected as string[]).filter((pass) => pass.endsWith(':train')).length;
  at.comparison.compare({ quantity: 'statistics updates' }, at.recorded.statisticsUpdates, updates, exact);
};

const noise: Compare = (expected, at) => {
  const used = (expected as unknown[]).length - at.recorded.noiseLeft;
  at.comparison.compare({ quantity: 'noise draws' }, used, (expected as unknown[]).length, exact);
};

const fields: Record<string, Compare> = {
  noise,
  losses: compareLosses,
  total: compareOne(({ recorded, targetEntropy }) => recorded.total - targetEntropy, valueTolerance),
  logits: compareLogits,
  upper: side,
  lower: side,
  wrongClass: compareOne(
    (at) => fromLogits(at, (labels) => strongestWrongClass(logitsOf(at, 'adversarial'), labels)),
    exact,
  ),
  kappa: compareOne(({ recorded }) => recorded.facts.get('kappa'), exact),
  grads: compareNamed(({ recorded }) => recorded.gradients, parameterNames, gradientTolerance),
  weightDiff: compareNamed(directions, parameterNames, gradientTolerance),
  paramsAfter: compareNamed(({ recorded }) => recorded.parameters, parameterNames, stateTolerance),
  bnAfterLoss: compareNamed(({ recorded }) => recorded.statisticsAfterLoss, statisticNames, stateTolerance),
  bnAfter: compareNamed(({ recorded }) => recorded.statistics, statisticNames, stateTolerance),
  forwardLog: compareForwardLog,
};

/** What the comparison of the step itself does not read: its inputs. */
const inputs = ['x', 'y', 'cutmix'];

const comparatorOf = (name: string): Compare | undefined =>
  fields[name] ?? methodFields[name] ?? normFields[name] ?? (/^x[A-Z]/.test(name) ? point : undefined);

/** Compares every field of one step; a field that nobody knows is a failure. */
export function compareStep(step: Golden, at: StepComparison): void {
  for (const [name, expected] of Object.entries(step)) {
    if (inputs.includes(name)) continue;
    const compare = comparatorOf(name);
    if (compare) compare(expected, at, name);
    else at.comparison.fail(name, `steps[${at.index}].${name} is a field that this version cannot check`);
  }
}

/** Compares the way of the attack in the first step. */
export function compareTrace(trace: Golden, at: StepComparison): void {
  const { comparison, recorded, method } = at;
  for (const [name, expected] of Object.entries(trace)) {
    const quantity = `trace.${name}`;
    if (name === 'innerLoss') {
      const sum = method.innerReduction === 'sum';
      // Free-AT has no attack of its own: its loss is that of the step
      const own =
        recorded.updates.length === 0
          ? [recorded.total]
          : recorded.updates.map(({ loss }) => meanOf(loss) * (sum ? loss.length : 1) - at.targetEntropy);
      comparison.compare({ quantity }, own, expected as number[], valueTolerance);
    } else if (name === 'attacks') compareAttackTrace(expected as Golden, at);
    else if (name === 'xStart') {
      const [first] = recorded.updates;
      comparison.compare({ quantity }, first?.points['adversarial'], numbersOf(expected, quantity), pointTolerance);
    } else if (name === 'inputGrad1') {
      // the mean of the losses is differentiated there, their sum here
      const own = recorded.facts.get('gradient')?.map((value) => value / at.labels.length);
      comparison.compare({ quantity }, own, numbersOf(expected, quantity), gradientTolerance);
    } else if (name === 'selection') {
      (expected as Golden[]).forEach((chosen, i) => {
        for (const which of ['upper', 'lower'] as const) {
          const part = `${quantity}[${i}].${which}`;
          const own = recorded.updates[i]?.choice?.[which];
          comparison.compare({ quantity, part }, own, numbersOf(chosen[which], part), exact);
        }
      });
    } else if (/^x[A-Z]/.test(name) && Array.isArray(expected)) {
      const role = roleOf(name.slice(1));
      const own = recorded.updates.filter(({ points }) => role in points);
      expected.forEach((value, i) => {
        const part = `${quantity}[${i}]`;
        comparison.compare({ quantity, part }, own[i + 1]?.points[role], numbersOf(value, part), pointTolerance);
      });
    } else comparison.fail(quantity, 'a field that this version cannot check');
  }
}
