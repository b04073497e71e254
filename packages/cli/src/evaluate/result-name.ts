import { type ThreatModel, type TierName } from '@bulwark/core';

/**
 * A radius in a file's name, four decimals where they say which it is: no two radii have the same. A multiple of 1/255 takes the name that it is
 * rounded to; a decimal that looks like one gets another digit, and all others are written out.
 */
function radiusName(epsilon: number): string {
  const four = epsilon.toFixed(4);
  const multiple = (value: number) => Math.round(255 * value) / 255;
  if (epsilon === multiple(epsilon)) return four;
  if (epsilon !== Number(four)) return String(epsilon);
  return multiple(epsilon).toFixed(4) === four ? epsilon.toFixed(5) : four;
}

/** The name of an evaluation's file: `quick-linf-0.0314.json` for 8/255. */
export const resultName = (tier: TierName | 'custom', { norm, epsilon }: ThreatModel): string =>
  `${tier}-${norm.name}-${radiusName(epsilon)}.json`;
