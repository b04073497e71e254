import {
  BulwarkError,
  spread,
  type Attack,
  type PluginServices,
  type PluginSpec,
  type ThreatModel,
  type TierName,
} from '@bulwark/core';
import { tiers } from '@bulwark/core/attacks';
import { checkSpec, examineSpec, findingText } from '@bulwark/core/run';
import { numberFlag } from '../terminal/number-flag.js';
import { parseAttacks } from './attack-specs.js';
import type { Target } from './open-target.js';

/** How many test images, and whether from the start or spread over the set. */
export interface Images {
  readonly count: number;
  readonly fromStart: boolean;
}

/** Attacks, images and tier of an evaluation. */
export interface EvaluationPlan {
  readonly tier: TierName | 'custom';
  readonly specs: readonly PluginSpec[];
  readonly images: Images | undefined;
}

/** `all`, `500` or `first:500`. @throws BulwarkError USAGE */
export function parseImages(text: string | undefined): Images | undefined {
  if (text === undefined || text === 'all') return text && { count: Infinity, fromStart: true };
  const fromStart = text.startsWith('first:');
  return { count: numberFlag('images', text.replace(/^first:/, ''), { min: 1, integer: true }), fromStart };
}

/** Positions of the chosen images in the test set. */
export function positions(total: number, images: Images | undefined): number[] {
  const count = Math.min(images?.count ?? total, total);
  return images?.fromStart ? spread(count, count) : spread(total, count);
}

const tierImages = (tier: TierName): Images | undefined => {
  const { images } = tiers[tier];
  return images === undefined ? undefined : { count: images, fromStart: false };
};

/** From attacks, else from a tier, else `quick`. @throws BulwarkError USAGE */
export function planEvaluation(given: {
  readonly attacks?: readonly (string | PluginSpec)[] | undefined;
  readonly tier?: TierName | undefined;
  readonly images?: Images | undefined;
}): EvaluationPlan {
  const { attacks, images } = given;
  if (attacks) {
    if (given.tier)
      throw new BulwarkError('USAGE', '--attacks and --tier exclude each other', { hint: 'give one of them' });
    const specs = attacks.flatMap((attack) => (typeof attack === 'string' ? parseAttacks([attack]) : [attack]));
    return { tier: 'custom', specs, images };
  }
  const tier = given.tier ?? 'quick';
  return { tier, specs: tiers[tier].attacks, images: images ?? tierImages(tier) };
}

/** What is to be said of the attacks of a plan: options that have no effect. @throws BulwarkError CONFIG_INVALID where they contradict one another */
export function doubtsOf(specs: readonly PluginSpec[], registry: Target['registry'], threat: ThreatModel): string[] {
  const found = specs.flatMap((spec, i) =>
    examineSpec(registry, { kind: 'attack', spec, at: ['attacks', i], plan: { threat, epochs: 0 } }),
  );
  const wrong = found.find(({ kind }) => kind === 'contradiction');
  if (wrong) throw new BulwarkError('CONFIG_INVALID', findingText(wrong), { hint: wrong.hint });
  return found.map((each) => `${findingText(each)}; ${each.hint}`);
}

/** The attacks of a plan, made for the target and a threat model, by default that of its config. @throws BulwarkError PLUGIN_UNKNOWN, CONFIG_INVALID */
export function attacksOf(
  specs: readonly PluginSpec[],
  { registry, services }: Pick<Target, 'registry' | 'services'>,
  threat = services.threat,
): Attack[] {
  const own: PluginServices = Object.create(services, { threat: { value: threat } }) as PluginServices;
  return specs.map((spec, i) => {
    const checked = checkSpec(registry, 'attack', spec, ['attacks', i]);
    if (threat === services.threat) return services.make('attack', checked);
    const { use, ...options } = checked;
    const plugin = registry.find('attack', use);
    return plugin.create(plugin.options.parse(options), own);
  });
}
