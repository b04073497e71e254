import {
  BulwarkError,
  norms,
  normNames,
  type ImageShape,
  type LengthScale,
  type NormName,
  type RunConfig,
  type ThreatModel,
} from '@bulwark/core';
import { threatOf } from '@bulwark/core/run';
import { pixelFlag } from '../analyze/flags.js';

/** Flags that say within what is attacked. */
export interface ThreatFlags {
  readonly norm?: string | undefined;
  readonly epsilon?: string | undefined;
  readonly epsilons?: string | undefined;
  readonly threats?: readonly string[] | undefined;
}

/** One threat model, a curve over radii, or the union of several norms. */
export type QuestionKind = 'one' | 'curve' | 'union';

const isNorm = (text: string): text is NormName => (normNames as readonly string[]).includes(text);

/**
 * The radii of a curve, `0,2/255,4/255`, ascending and each once. Radius 0 is the clean accuracy, which every result has.
 * @throws BulwarkError USAGE; CONFIG_INVALID for a radius that counts in values of 0 to 255
 */
function parseEpsilons(text: string, scale: LengthScale): number[] {
  const parts = text.split(',').map((part) => part.trim());
  const radii = parts.filter((part) => part !== '0').map((part) => pixelFlag('epsilons', part, scale));
  if (radii.length === 0)
    throw new BulwarkError('USAGE', `--epsilons is ${text}: no radius above 0`, {
      hint: 'give the radii of the curve, for example 0,2/255,4/255,8/255',
    });
  return [...new Set(radii)].sort((a, b) => a - b);
}

/** Threat models as written: `linf:8/255 l2:0.5 l1:12`. @throws BulwarkError USAGE, CONFIG_INVALID */
function parseThreats(texts: readonly string[], shape?: ImageShape): ThreatModel[] {
  if (texts.length === 0)
    throw new BulwarkError('USAGE', '--threats names no threat model', { hint: 'give for example linf:8/255 l2:0.5' });
  const threats = texts
    .flatMap((text) => text.split(','))
    .map((text) => {
      const [norm = '', radius = '', ...more] = text.trim().split(':');
      if (!isNorm(norm) || radius === '' || more.length > 0)
        throw new BulwarkError('USAGE', `--threats: ${JSON.stringify(text)} is not norm:radius`, {
          hint: `write for example linf:8/255 l2:0.5 l1:12; norms are ${normNames.join(', ')}`,
        });
      return { norm: norms[norm], epsilon: pixelFlag('threats', radius, { norm, ...(shape && { shape }) }) };
    });
  const twice = threats.find((one, i) => threats.findIndex(({ norm }) => norm === one.norm) !== i);
  if (twice)
    throw new BulwarkError('USAGE', `--threats names ${twice.norm.name} twice`, {
      hint: 'give one radius for each norm; --epsilons makes a curve over radii',
    });
  return threats;
}

/** Norm and radius by which the target is opened where there are several: any of them will do. @throws BulwarkError USAGE, CONFIG_INVALID */
export function openingFlags<Flags extends ThreatFlags>(flags: Flags): Flags {
  const [first] = flags.threats ? parseThreats(flags.threats) : [];
  if (first) return { ...flags, norm: first.norm.name, epsilon: String(first.epsilon) };
  const parts = flags.epsilons?.split(',').map((part) => part.trim());
  const last = parts?.findLast((part) => part !== '0');
  return last === undefined ? flags : { ...flags, epsilon: last };
}

/** Flags beside which the list of threat models of a run is not what is measured: they say another, or one file will not do for all. */
const ofOne = ['norm', 'epsilon', 'out', 'shard', 'shards', 'merge', 'robustbench', 'zoo'];

const isGiven = (flags: Readonly<Record<string, unknown>>, name: string) => flags[name] !== undefined;

/** Threat models in the order of work; what the flags leave out is the run's. @throws BulwarkError USAGE, CONFIG_INVALID */
export function askedThreats(
  flags: ThreatFlags,
  { config, data: { shape } }: { config: RunConfig; data: { shape: ImageShape } },
): { readonly kind: QuestionKind; readonly threats: readonly ThreatModel[] } {
  if (flags.threats) return { kind: 'union', threats: parseThreats(flags.threats, shape) };
  const own = threatOf(config);
  if (flags.epsilons !== undefined) {
    const radii = parseEpsilons(flags.epsilons, { norm: own.norm.name, shape });
    return { kind: 'curve', threats: radii.map((epsilon) => ({ norm: own.norm, epsilon })) };
  }
  const others = config.evaluation.threats ?? [];
  if (others.length === 0 || ofOne.some((flag) => isGiven({ ...flags }, flag))) return { kind: 'one', threats: [own] };
  return { kind: 'union', threats: [own, ...others.map((threat) => threatOf({ threat }))] };
}
