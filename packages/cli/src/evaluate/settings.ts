import type { PluginSpec, TierName } from '@bulwark/core';
import { numberFlag } from '../terminal/number-flag.js';
import type { TargetFlags } from './open-target.js';
import { parseImages, planEvaluation, type EvaluationPlan } from './plan.js';
import type { ThreatFlags } from './threats.js';

/** Flags that say how is measured. */
export interface SettingsFlags {
  readonly attacks?: readonly (string | PluginSpec)[] | undefined;
  readonly tier?: TierName | undefined;
  readonly images?: string | undefined;
  readonly batch: string;
  readonly seed: string;
  readonly repeats: string;
}

/** Flags that say what is measured of a target, of the command as of programs. */
export interface QuestionFlags extends TargetFlags, ThreatFlags, SettingsFlags {
  readonly transferFrom?: string | undefined;
  readonly probes: boolean;
}

/** The same, read: it needs no target. */
export interface Settings extends EvaluationPlan {
  readonly batchSize: number;
  readonly seed: number;
  readonly repeats: number;
}

/** @throws BulwarkError USAGE */
export function readSettings(flags: SettingsFlags): Settings {
  const at = (name: 'batch' | 'seed' | 'repeats', min: number) => numberFlag(name, flags[name], { min, integer: true });
  const { attacks, tier, images } = flags;
  return {
    ...planEvaluation({ attacks, tier, images: parseImages(images) }),
    ...{ batchSize: at('batch', 1), seed: at('seed', 0), repeats: at('repeats', 1) },
  };
}
