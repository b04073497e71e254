import {
  countOf,
  evaluate as measure,
  subset,
  type EvaluationResult,
  type PluginSpec,
  type TierName,
} from '@bulwark/core';
import { probeTrust } from '@bulwark/core/attacks';
import { threatOf } from '@bulwark/core/run';
import { openTarget } from '../evaluate/open-target.js';
import { attacksOf, planEvaluation, positions } from '../evaluate/plan.js';
import { builtinRegistry } from '../registry.js';

/** How to evaluate. */
export interface EvaluateOptions {
  /** How much effort; default `quick`. */
  readonly tier?: TierName;
  /** Attacks instead of a tier: names, `pgd:steps=50`, or specs as in a config. */
  readonly attacks?: readonly (string | PluginSpec)[];
  /** Test images, spread over the test set; default: those of the tier, or all. */
  readonly images?: number;
  /** Norm and radius instead of those of the run. */
  readonly threat?: { readonly norm?: 'linf' | 'l2' | 'l1'; readonly epsilon?: number };
  readonly checkpoint?: 'best' | 'last';
  /** Of a weights file that does not say them: plugins with options after colons, `resnet18:width=32`. */
  readonly model?: string;
  readonly data?: string;
  readonly engine?: string;
  /** Images at once; default 250. */
  readonly batchSize?: number;
  /** Of the attacks' noise; default 0. */
  readonly seed?: number;
  /** Passes by which a randomised model is judged: the most frequent answer counts; default 1. */
  readonly repeats?: number;
  readonly signal?: AbortSignal;
  /** Is told what the user should know; default: nobody. */
  readonly warn?: (message: string) => void;
}

/**
 * Attacks a run or a weights file as `bulwark evaluate` does, and writes nothing. Everything is freed afterwards.
 * @returns clean and worst-case accuracy with intervals, and each attack's
 * @throws BulwarkError RUN_MISSING, WEIGHTS_INVALID, USAGE, PLUGIN_UNKNOWN, DATA_MISSING, INTERRUPTED
 */
export async function evaluate(path: string, options: EvaluateOptions = {}): Promise<EvaluationResult> {
  const { batchSize = 250, seed = 0, repeats, signal, warn = () => {}, threat: radius, images, ...rest } = options;
  const {
    tier,
    specs,
    images: chosen,
  } = planEvaluation({
    ...rest,
    ...(images !== undefined && { images: { count: images, fromStart: false } }),
  });
  const { checkpoint, model: named, data: source, engine } = rest;
  const flags = { checkpoint, model: named, data: source, engine, norm: radius?.norm };
  const epsilon = radius?.epsilon === undefined ? undefined : String(radius.epsilon);
  const target = await openTarget(path, { ...flags, epsilon }, { registry: builtinRegistry(), warn });
  const { model, data, config } = target;
  try {
    const threat = threatOf(config);
    const set = subset(data.test, positions(countOf(data.test), chosen));
    return await measure({
      ...{ model, data: set, threat, batchSize, seed, repeats, tier, signal },
      attacks: attacksOf(specs, target),
      notice: ({ id, what, hint }) => warn(`trust check ${id}: ${what}; ${hint}`),
      ...(tier !== 'quick' && { probes: () => probeTrust({ model, data: set, threat, seed, signal }) }),
    });
  } finally {
    model.dispose();
  }
}
