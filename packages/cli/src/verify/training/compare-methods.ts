import { crossEntropy, logitsOf as outputs } from '@bulwark/core';
import { marginWeights, probabilisticMargin } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import { exact } from '../comparison.js';
import { numbersOf, type Golden } from '../golden.js';
import {
  compareNamed,
  compareOne,
  fromLogits,
  gradientTolerance,
  logitsOf,
  pointTolerance,
  stateTolerance,
  valueTolerance,
  type Compare,
  type StepComparison,
} from './compare-parts.js';
import type { Named, Values } from './record.js';

const triplet = ['linear-a', 'linear-b', 'linear-c'];
const together = (pieces: readonly (Values | undefined)[]): Values | undefined =>
  pieces.some((piece) => piece === undefined) ? undefined : Float32Array.from(pieces.flatMap((piece) => [...piece!]));

/** ELLE's points [a; b; c] and their cross-entropies. */
const compareTriplet: Compare = (expected, at) => {
  const { x, losses } = expected as Golden;
  const points = together(triplet.map((role) => at.recorded.points.get(role)));
  at.comparison.compare({ quantity: 'triplet.x' }, points, numbersOf(x, 'triplet.x'), pointTolerance);
  const own = together(triplet.map((role) => fromLogits(at, (labels) => crossEntropy(logitsOf(at, role), labels))));
  at.comparison.compare({ quantity: 'triplet.losses' }, own, numbersOf(losses, 'triplet.losses'), valueTolerance);
};

const margins = (at: StepComparison, labels: tf.Tensor1D) => probabilisticMargin(logitsOf(at, 'adversarial'), labels);

/** GAIRAT's weights are a finding of its attack; MAIL's follow from the outer logits. */
function exampleWeights(at: StepComparison): Values | undefined {
  const { use, slope, bias } = at.method.objective;
  if (use !== 'mail') return at.recorded.facts.get('weight');
  const options = { slope: Number(slope), bias: Number(bias) };
  return fromLogits(at, (labels) => marginWeights(margins(at, labels), options));
}

/** What HAT's helper network says of the adversarial points. */
function helperLogits({ recorded, second, golden, labels }: StepComparison): Values | undefined {
  const points = recorded.points.get('adversarial');
  if (!points || !second) return undefined;
  return tf.tidy(() => {
    const images = tf.tensor4d(points, [labels.length, ...golden.network.inputShape]);
    return outputs(second.network, images).dataSync().slice() as Values;
  });
}

const averageOf =
  (group: string) =>
  ({ recorded }: StepComparison): Named =>
    new Map([...recorded.average].map(([name, values]) => [name.replace(`${group}/`, ''), values]));

const companionGradients = ({ recorded }: StepComparison): Named => {
  const own = [...recorded.gradients].filter(([name]) => name.startsWith('companion@'));
  return new Map(own.map(([name, values]) => [name.slice('companion@'.length), values]));
};
const parameterNames = ({ second }: StepComparison) => second?.parameterNames ?? new Map<string, string>();
const statisticNames = ({ second }: StepComparison) => second?.statisticNames ?? new Map<string, string>();
const none: Named = new Map();

/** A teacher is passed as often as the case says with updates of its running statistics, or not at all. */
const compareTeacherLog: Compare = (expected, at) => {
  const updates = (expected as string[]).filter((pass) => pass.endsWith(':train')).length;
  const own = at.recorded.companion?.updates ?? 0;
  const counted = at.second!.statisticNames.size > 0 ? own : updates;
  at.comparison.compare({ quantity: "teacher's statistics updates" }, counted, updates, exact);
};

/** What only some methods have: their state, weights, second models and schedules. */
export const methodFields: Record<string, Compare> = {
  triplet: compareTriplet,
  weights: compareOne(exampleWeights, valueTolerance),
  margin: compareOne((at) => fromLogits(at, (labels) => margins(at, labels)), valueTolerance),
  deltaAfter: compareOne(({ recorded }) => recorded.stateAfter.get('delta'), pointTolerance),
  lambdaUsed: compareOne(({ recorded }) => recorded.stateBefore.get('lambda'), valueTolerance),
  lambdaNext: compareOne(({ recorded }) => recorded.stateAfter.get('lambda'), valueTolerance),
  helperLabels: compareOne(({ recorded }) => recorded.facts.get('helper-label'), exact),
  helperLogits: compareOne(helperLogits, valueTolerance),
  classWeights: compareOne(({ recorded }) => recorded.stateBefore.get('weights'), valueTolerance),
  classWeightsAfter: compareOne(({ recorded }) => recorded.stateNext.get('weights'), valueTolerance),
  xMixed: compareOne(({ recorded }) => recorded.images, pointTolerance),
  yMixed: compareOne(({ recorded }) => recorded.targets, valueTolerance),
  globalStep: compareOne(({ index }) => index + 1, exact),
  emaDecay: compareOne(({ recorded }) => recorded.emaDecay, valueTolerance),
  emaParams: compareNamed(averageOf('model'), ({ golden }) => golden.parameterNames, stateTolerance),
  emaBn: compareNamed(averageOf('statistics'), ({ golden }) => golden.statisticNames, stateTolerance),
  lr: compareOne(({ recorded }) => recorded.learningRate, valueTolerance),
  momentum: compareOne(({ recorded }) => recorded.momentum, valueTolerance),
  teacherGrads: compareNamed(companionGradients, parameterNames, gradientTolerance),
  teacherParamsAfter: compareNamed(
    ({ recorded }) => recorded.companion?.parameters ?? none,
    parameterNames,
    stateTolerance,
  ),
  teacherBnAfter: compareNamed(
    ({ recorded }) => recorded.companion?.statistics ?? none,
    statisticNames,
    stateTolerance,
  ),
  teacherForwardLog: compareTeacherLog,
};
