import {
  type Accuracy,
  type CorruptionResult,
  type CurvePoint,
  type EvaluationProgress,
  type EvaluationResult,
  type NormName,
  type PluginSpec,
  type TierName,
} from '@bulwark/core';
import { corruptionTable, unionOf, type CorruptionRow } from '@bulwark/core/evaluation';
import { measureCorruptions, openCorrupted } from '../evaluate/corruptions.js';
import { openTarget, type Target } from '../evaluate/open-target.js';
import { answer, askOf, measure } from '../evaluate/question.js';
import { evaluateRules } from '../evaluate/rules.js';
import { readSettings, type QuestionFlags } from '../evaluate/settings.js';
import { openingFlags } from '../evaluate/threats.js';
import { builtinRegistry } from '../registry.js';
import { checkRule } from '../terminal/flag-rules.js';

/** What to measure, whatever is done to the images. */
export interface TargetOptions {
  /** Of a run; default: the best one, if there is one. */
  readonly checkpoint?: 'best' | 'last';
  /** Config with model, data and threat of a weights file. */
  readonly config?: string;
  /** Of a weights file that does not say them: plugins with options after colons, `resnet18:width=32`. */
  readonly model?: string;
  readonly data?: string;
  /** Where in a weights file the network is, if several fit: `state_dict_ema`. */
  readonly from?: string;
  /** A published model of RobustBench that a weights file holds. */
  readonly zoo?: string;
  readonly engine?: string;
  /** Files or packages of plugins. */
  readonly plugins?: readonly string[];
  /** Images at once, from 1; default 250. */
  readonly batchSize?: number;
  /** Passes by which a randomised model is judged, from 1: the most frequent answer counts; default 1. */
  readonly repeats?: number;
  readonly signal?: AbortSignal;
  /** Is told what the user should know; default: nobody. */
  readonly warn?: (message: string) => void;
}

/** What every evaluation with attacks takes. */
export interface AttackOptions extends TargetOptions {
  /** How much effort; default `quick`. */
  readonly tier?: TierName;
  /** Attacks instead of a tier: names, `pgd:steps=50`, or specs as in a config. */
  readonly attacks?: readonly (string | PluginSpec)[];
  /** Test images, from 1, spread over the test set, or the first of it; default: those of the tier, or all. */
  readonly images?: number | 'all' | `first:${number}`;
  /** Of the attacks' noise, an integer from 0; default 0. */
  readonly seed?: number;
  /** A run or weights file: its examples, of the same attacks, are shown to the model, too. */
  readonly transferFrom?: string;
  /** False leaves out the trust checks that attack again; default true. */
  readonly probes?: boolean;
  /** Hears between iterations how far each attack is. */
  readonly progress?: (progress: EvaluationProgress) => void;
}

/** How to evaluate in one threat model. */
export interface EvaluateOptions extends AttackOptions {
  /** Norm and radius (of pixels in [0, 1], so 8/255) instead of those of the run. */
  readonly threat?: { readonly norm?: NormName; readonly epsilon?: number };
}

/** How to measure accuracy over the radius. */
export interface CurveOptions extends AttackOptions {
  /** Radii of pixels in [0, 1], numbers or fractions as text: `[0, '2/255', '4/255']`; 0 is the clean accuracy. */
  readonly epsilons: readonly (number | string)[];
  /** The norm instead of that of the run. */
  readonly threat?: { readonly norm?: NormName };
}

/** How to measure in several norms. */
export interface UnionOptions extends AttackOptions {
  /**
   * Threat models, each of a norm of its own, in objects or as text: `['linf:8/255', { norm: 'l2', epsilon: 0.5 }]`; `run` for those of the
   * run's config.
   */
  readonly threats: readonly (string | { readonly norm: NormName; readonly epsilon: number })[] | 'run';
}

/** How to measure under common corruptions, without an adversary. */
export interface CorruptionOptions extends TargetOptions {
  /** A data source that says what is corrupted how, with options after colons, or true: the one made of the model's own data. */
  readonly corruptions: true | string;
  /** Images at most of each corruption and severity, from 1; default all. */
  readonly images?: number;
}

/** Accuracy over the radius. */
export interface CurveEvaluation {
  /** One for each radius above 0, ascending. */
  readonly results: readonly EvaluationResult[];
  /** Accuracy within each radius, ascending from 0, which never rises. */
  readonly curve: readonly CurvePoint[];
}

/** Accuracy in several norms and their union. */
export interface UnionEvaluation {
  /** One for each threat model, in order. */
  readonly results: readonly EvaluationResult[];
  /** Of the images that withstand all of them. */
  readonly union: Accuracy;
}

/** Accuracy under common corruptions. */
export interface CorruptedEvaluation {
  readonly result: CorruptionResult;
  /** Mean over all corruptions and severities, by which RobustBench ranks. */
  readonly mean: number;
  /** One for each corruption. */
  readonly rows: readonly CorruptionRow[];
}

type Options = EvaluateOptions &
  Partial<Pick<CurveOptions, 'epsilons'> & Pick<UnionOptions, 'threats'> & Pick<CorruptionOptions, 'corruptions'>>;

const textOf = (value: number | undefined): string | undefined => (value === undefined ? undefined : String(value));

/** The options as flags of the command: one reader of both. */
function flagsOf(options: Options): QuestionFlags {
  const { threat, threats, epsilons, batchSize = 250, seed = 0, repeats = 1, probes = true, images, ...rest } = options;
  const { checkpoint, config, model, data, from, zoo, engine, plugins, tier, attacks, transferFrom } = rest;
  const listed = threats === 'run' ? undefined : threats;
  return {
    ...{ checkpoint, config, model, data, from, zoo, engine, plugins, tier, attacks, transferFrom, probes },
    ...{ batch: String(batchSize), seed: String(seed), repeats: String(repeats) },
    images: images === undefined ? undefined : String(images),
    norm: threat?.norm,
    epsilon: textOf(threat?.epsilon),
    epsilons: epsilons?.join(','),
    threats: listed?.map((each) => (typeof each === 'string' ? each : `${each.norm}:${each.epsilon}`)),
  };
}

/** @throws BulwarkError USAGE where options mean nothing together */
function checkTogether(options: Options): void {
  const { threat } = options;
  const named: Readonly<Record<string, unknown>> = {
    ...options,
    ...{ norm: threat?.norm, epsilon: threat?.epsilon, 'transfer-from': options.transferFrom },
  };
  const given = Object.keys(named).filter((name) => named[name] !== undefined);
  for (const rule of evaluateRules) checkRule(rule, given, named);
}

async function corrupted(target: Target, options: Options, corruptions: string | true): Promise<CorruptedEvaluation> {
  const flags = { ...flagsOf(options), corruptions };
  const data = await openCorrupted(flags, target);
  const { signal } = options;
  const result = await measureCorruptions(target, flags, { data, ...(signal && { signal }) });
  return { result, ...corruptionTable(result) };
}

/** Norms of the threat models that are left out, where only the first of a run's is asked for. */
function leftOut({ config }: Target): string {
  const { threats = [] } = config.evaluation;
  return threats.map(({ norm }) => norm).join(' and ');
}

/**
 * Accuracy over the radius, as `bulwark evaluate --epsilons` measures it.
 * @throws BulwarkError USAGE, CONFIG_INVALID (a radius beyond the pixel range), and as below
 * @example
 * ```ts
 * const { curve } = await evaluate('runs/st', { epsilons: [0, '2/255', '4/255', 8 / 255], attacks: ['pgd', 'fmn'] });
 * for (const { epsilon, accuracy, interval } of curve) console.log(epsilon, accuracy, interval);
 * ```
 */
export async function evaluate(path: string, options: CurveOptions): Promise<CurveEvaluation>;
/**
 * Accuracy in several norms and their union, per image, as `bulwark evaluate --threats` measures it.
 * @throws BulwarkError USAGE (a norm twice), CONFIG_INVALID (a radius beyond the pixel range), ATTACK_INVALID (an attack not made for a norm)
 * @example
 * ```ts
 * const { results, union } = await evaluate('runs/max', { threats: ['linf:8/255', { norm: 'l2', epsilon: 0.5 }], tier: 'fast' });
 * for (const { threat, worst } of results) console.log(threat.norm, worst.accuracy);
 * console.log('all', union.accuracy);
 * ```
 */
export async function evaluate(path: string, options: UnionOptions): Promise<UnionEvaluation>;
/**
 * Accuracy under common corruptions, without an adversary, as `bulwark evaluate --corruptions` measures it.
 * @throws BulwarkError USAGE (data that does not say what is corrupted how), DATA_MISSING, BATCH_INVALID (images of another shape)
 * @example
 * ```ts
 * const { mean, rows } = await evaluate('runs/st', { corruptions: 'cifar10-c:folder=./CIFAR-10-C', images: 1000 });
 * console.log(mean, rows.find(({ name }) => name === 'fog')?.accuracy);
 * ```
 */
export async function evaluate(path: string, options: CorruptionOptions): Promise<CorruptedEvaluation>;
/**
 * Attacks a run or a weights file as `bulwark evaluate` does, and writes nothing. Everything is freed afterwards. Of a run that is made for
 * several threat models the first is measured, with a warning: `threats: 'run'` measures all.
 * @param path run folder, weights file (.safetensors, .pt), or model.json of TensorFlow.js
 * @returns clean and worst-case accuracy in [0, 1] with their 95 % intervals, and each attack's; flags have one character per image
 * @throws BulwarkError RUN_MISSING, WEIGHTS_INVALID, USAGE (options that mean nothing together, numbers out of their range), CONFIG_INVALID (a
 *   radius beyond the pixel range), PLUGIN_UNKNOWN, DATA_MISSING, MODEL_INVALID (logits that are no numbers), ATTACK_INVALID (naming the
 *   attack), INTERRUPTED
 * @example
 * ```ts
 * const { clean, worst, attacks } = await evaluate('runs/st', { attacks: ['pgd:steps=50'], transferFrom: 'runs/at', images: 1000 });
 * console.log(clean.accuracy, worst.accuracy, worst.interval);
 * for (const { label, accuracy } of attacks) console.log(label, accuracy);
 * ```
 */
export async function evaluate(path: string, options?: EvaluateOptions): Promise<EvaluationResult>;
export async function evaluate(
  path: string,
  options: Options = {},
): Promise<EvaluationResult | CurveEvaluation | UnionEvaluation | CorruptedEvaluation> {
  const { warn = () => {}, signal, progress, corruptions } = options;
  checkTogether(options);
  const flags = flagsOf(options);
  const settings = readSettings(flags);
  const target = await openTarget(path, openingFlags(flags), { registry: builtinRegistry(), warn });
  let other: { dispose(): void } | undefined;
  try {
    if (corruptions !== undefined) return await corrupted(target, options, corruptions);
    const { norm } = target.config.threat;
    // a result is of one threat model, unless several are asked for
    const first = options.threats === undefined && options.epsilons === undefined;
    const rest = leftOut(target);
    if (first && rest !== '' && !options.threat)
      warn(`${path} is made for ${rest}, too; measured is ${norm} alone: \`threats: 'run'\` measures all`);
    const question = await askOf(target, first ? { ...flags, norm } : flags, { settings, warn });
    other = question.source?.model;
    const notice = ({ id, what, hint }: { id: string; what: string; hint: string }) =>
      warn(`trust check ${id}: ${what}; ${hint}`);
    const hearing = { notice, ...(signal && { signal }), ...(progress && { progress }) };
    const { results, curve, union } = await answer(question, (attacked, smaller) =>
      measure(question, attacked, { ...hearing, ...(smaller && { smaller }) }),
    );
    if (curve) return { results, curve };
    return options.threats === undefined ? results[0]! : { results, union: union ?? unionOf(results) };
  } finally {
    target.model.dispose();
    other?.dispose();
  }
}
