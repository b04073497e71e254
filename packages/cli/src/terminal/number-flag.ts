import { BulwarkError } from '@bulwark/core';

/** The number that a flag gives. @throws BulwarkError USAGE if it is none, or not in the range */
export function numberFlag(
  name: string,
  text: string,
  { min, max = Infinity, integer = false }: { min: number; max?: number; integer?: boolean },
): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= min && value <= max && (!integer || Number.isInteger(value))) return value;
  throw new BulwarkError('USAGE', `--${name} is ${text}`, {
    hint: `give ${integer ? 'an integer' : 'a number'} of at least ${min}${max === Infinity ? '' : ` and at most ${max}`}`,
  });
}
