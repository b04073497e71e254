import {
  countOf,
  evaluate,
  subset,
  type Accuracy,
  type Attack,
  type CurvePoint,
  type Evaluation,
  type EvaluationResult,
  type ImageSet,
  type ThreatModel,
  type TransferSource,
} from '@bulwark/core';
import { probeTrust, transferred } from '@bulwark/core/attacks';
import { accuracyCurve, checkNorm, shardPositions, unionOf } from '@bulwark/core/evaluation';
import type { Shard } from '../terminal/shard.js';
import type { Target } from './open-target.js';
import { attacksOf, doubtsOf, positions } from './plan.js';
import type { QuestionFlags, Settings } from './settings.js';
import { askedThreats, type QuestionKind } from './threats.js';
import { transferFrom } from './transfer.js';

/** One threat model, and the attacks in it. */
export interface Attacked {
  readonly threat: ThreatModel;
  readonly attacks: readonly Attack[];
}

/** What is asked of a model: in one threat model, within the radii of a curve, or in the union of several. */
export interface Question extends Settings {
  readonly target: Target;
  readonly data: ImageSet;
  readonly kind: QuestionKind;
  /** In the order of work. */
  readonly attacked: readonly Attacked[];
  /** The model whose examples are shown to the target; whoever asks disposes it. */
  readonly source?: TransferSource;
  readonly probes: boolean;
}

/**
 * Makes the attacks, chooses the images and opens the model to transfer from, whose faults are told before anything is measured.
 * @throws BulwarkError USAGE, PLUGIN_UNKNOWN, CONFIG_INVALID, ATTACK_INVALID
 */
export async function askOf(
  target: Target,
  flags: QuestionFlags,
  { settings, shard, warn }: { settings: Settings; shard?: Shard | undefined; warn: (text: string) => void },
): Promise<Question> {
  const { kind, threats } = askedThreats(flags, target);
  const whole = positions(countOf(target.data.test), settings.images);
  const chosen = shard ? shardPositions(whole.length, shard).map((i) => whole[i]!) : whole;
  const own = threats.map((threat) => ({ threat, attacks: attacksOf(settings.specs, target, threat) }));
  const doubts = threats.flatMap((threat) => doubtsOf(settings.specs, target.registry, threat));
  for (const doubt of new Set(doubts)) warn(doubt);
  for (const { threat, attacks } of own) for (const attack of attacks) checkNorm(attack, threat);
  const { plugins } = flags;
  const source =
    flags.transferFrom === undefined ? undefined : await transferFrom(flags.transferFrom, { target, plugins, warn });
  const withForeign = (attacks: readonly Attack[]) =>
    source ? [...attacks, ...attacks.map((attack) => transferred(attack, source))] : attacks;
  return {
    ...settings,
    ...{ target, kind, data: subset(target.data.test, chosen), probes: flags.probes },
    attacked: own.map(({ threat, attacks }) => ({ threat, attacks: withForeign(attacks) })),
    ...(source && { source }),
  };
}

/** How one threat model of a question is measured: who hears of it, and what is known already. */
export type Hearing = Pick<Evaluation, 'previous' | 'smaller' | 'save' | 'progress' | 'notice' | 'signal'>;

/** Measures the target in one threat model. @throws BulwarkError as `evaluate` of core */
export function measure(
  question: Question,
  { threat, attacks }: Attacked,
  hearing: Hearing,
): Promise<EvaluationResult> {
  const { target, data, kind, batchSize, seed, repeats, tier, probes } = question;
  const { model } = target;
  const { signal } = hearing;
  return evaluate({
    ...{ model, data, attacks, threat, batchSize, seed, repeats, tier },
    ...(kind === 'union' && { together: question.attacked.map((each) => each.threat) }),
    ...(probes && tier !== 'quick' && { probes: () => probeTrust({ model, data, threat, seed, signal }) }),
    ...hearing,
  });
}

/** What came of a question: a result for each threat model, and what they come to together. */
export interface Answer {
  readonly results: readonly EvaluationResult[];
  readonly curve?: readonly CurvePoint[];
  readonly union?: Accuracy;
}

/**
 * Goes through the threat models of a question in turn.
 * @param one measures one of them; of a curve it is told the result within the radius before
 */
export async function answer(
  { kind, attacked }: Question,
  one: (attacked: Attacked, smaller: EvaluationResult | undefined) => Promise<EvaluationResult>,
): Promise<Answer> {
  const results: EvaluationResult[] = [];
  for (const each of attacked) results.push(await one(each, kind === 'curve' ? results.at(-1) : undefined));
  return {
    results,
    ...(kind === 'curve' && { curve: accuracyCurve(results) }),
    ...(kind === 'union' && { union: unionOf(results) }),
  };
}
