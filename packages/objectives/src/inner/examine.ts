import { type Finding, type RunPlan } from '@bulwark/core';
import { contradiction, counted, doubt } from '@bulwark/core/plugins';
import type { InnerSettings } from './settings.js';

type Start = Pick<InnerSettings, 'steps' | 'start' | 'startScale'>;

/** A length as one would write it: those of many digits that are some 255ths as such. */
const text = (length: number): string => {
  const bytes = Math.round(255 * length);
  const whole = `${length}`.length > 6 && Math.abs(255 * length - bytes) < 1e-6;
  return whole ? `${bytes}/255` : `${Number(length.toPrecision(4))}`;
};

/**
 * What an attack's start and steps do not allow together. A discrepancy to the natural output is least at the image: there it has no gradient.
 * @param name where the options stand, with a dot: `inner.`
 */
export function examineStart(
  { steps, start, startScale }: Start,
  { name = 'inner.', fromNatural = false }: { name?: string; fromNatural?: boolean } = {},
): Finding[] {
  const still = start === 'none' || (start === 'gaussian' && startScale === 0);
  if (!still) return [];
  const where = start === 'none' ? `${name}start is none` : `${name}startScale is 0`;
  if (steps === 0) return [doubt(`${name}steps is 0, and ${where}: the neighbours are the images`, 'set steps to 10')];
  if (!fromNatural) return [];
  return [
    doubt(
      `${where}, and the attack climbs the distance to the natural output, which has no gradient at the image: its first step goes nowhere, or along rounding`,
      `set ${name}start to gaussian or uniform`,
    ),
  ];
}

/** The check of an objective whose attack is its section `inner`. @param fromNatural whether it climbs a discrepancy to the natural output */
export const examineInner =
  <Options extends { readonly inner: Start }>(fromNatural: (options: Options) => boolean = () => false) =>
  (options: Options): Finding[] =>
    examineStart(options.inner, { fromNatural: fromNatural(options) });

/** Below this many radii all in all, an attack leaves most of the ball alone. */
const leastReach = 0.5;

/** Steps that are measured in radii and do not come far. */
export const examineRadii = (radii: number, option: string): Finding[] =>
  radii >= leastReach
    ? []
    : [doubt(`${option}: the attack moves by ${radii} of a radius at most`, 'take more or longer steps')];

/** The same of a single step. */
export const examineStep = ({ stepLength }: { readonly stepLength: number }): Finding[] =>
  examineRadii(stepLength, `stepLength is ${stepLength}`);

/** A first part of the training, in which a method does not do what it is for, that is all of it. */
export const examineFirstPart = (
  { option, epochs, meanwhile }: { option: string; epochs: number; meanwhile: string },
  plan: RunPlan,
): Finding[] =>
  epochs <= plan.epochs - 1
    ? []
    : [
        doubt(
          `${option}, and the run has ${counted(plan.epochs, 'epoch')}: ${meanwhile} to its end`,
          `train longer, or set ${option.split(' ')[0]} lower`,
        ),
      ];

/** The same of a `burnIn`, a share of the epochs with the weights of the base method. */
export const examineBurnIn = (burnIn: number, plan: RunPlan): Finding[] =>
  examineFirstPart(
    {
      option: `burnIn is ${Number(burnIn.toPrecision(3))}`,
      epochs: burnIn * plan.epochs,
      meanwhile: 'all examples count alike',
    },
    plan,
  );

/** Radii this far apart (as a share) are no rounding of one another: the authors of MSD write 0.03 for 8/255. */
const sameRadius = 0.05;

/** Balls that are given twice, or with another radius than that of the threat model. */
export function examineBalls(balls: readonly { norm: string; epsilon: number }[], { threat }: RunPlan): Finding[] {
  const twice = balls.find(({ norm }, i) => balls.findIndex((ball) => ball.norm === norm) !== i);
  if (twice) return [contradiction(`norms names ${twice.norm} twice`, 'give one radius for each norm')];
  const same = balls.find(({ norm }) => norm === threat.norm.name);
  if (!same || Math.abs(same.epsilon - threat.epsilon) <= sameRadius * threat.epsilon) return [];
  return [
    doubt(
      `training takes ${same.norm} with ${text(same.epsilon)}, and threat.epsilon, by which it is judged, is ${text(threat.epsilon)}`,
      'give both the same radius',
    ),
  ];
}
