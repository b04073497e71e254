import { BulwarkError, norms, normNames, type NormName, type ThreatModel } from '@bulwark/core';
import { pixelFlag } from '../analyze/flags.js';

const isNorm = (text: string): text is NormName => (normNames as readonly string[]).includes(text);

/**
 * The radii of a curve, `0,2/255,4/255`, ascending and each once. Radius 0 is the clean accuracy, which every result has.
 * @throws BulwarkError USAGE; CONFIG_INVALID for a radius that counts in values of 0 to 255
 */
export function parseEpsilons(text: string, norm: NormName): number[] {
  const parts = text.split(',').map((part) => part.trim());
  const radii = parts.filter((part) => part !== '0').map((part) => pixelFlag('epsilons', part, { norm }));
  if (radii.length === 0)
    throw new BulwarkError('USAGE', `--epsilons is ${text}: no radius above 0`, {
      hint: 'give the radii of the curve, for example 0,2/255,4/255,8/255',
    });
  return [...new Set(radii)].sort((a, b) => a - b);
}

/** Threat models as written: `linf:8/255 l2:0.5 l1:12`. @throws BulwarkError USAGE, CONFIG_INVALID */
export function parseThreats(texts: readonly string[]): ThreatModel[] {
  const threats = texts
    .flatMap((text) => text.split(','))
    .map((text) => {
      const [norm = '', radius = ''] = text.trim().split(':');
      if (!isNorm(norm) || radius === '')
        throw new BulwarkError('USAGE', `--threats: ${JSON.stringify(text)} is not norm:radius`, {
          hint: `write for example linf:8/255 l2:0.5 l1:12; norms are ${normNames.join(', ')}`,
        });
      return { norm: norms[norm], epsilon: pixelFlag('threats', radius, { norm }) };
    });
  const twice = threats.find((one, i) => threats.findIndex(({ norm }) => norm === one.norm) !== i);
  if (twice)
    throw new BulwarkError('USAGE', `--threats names ${twice.norm.name} twice`, {
      hint: 'give one radius for each norm; --epsilons makes a curve over radii',
    });
  return threats;
}
