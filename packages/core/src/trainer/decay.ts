import type * as tf from '../tensor/index.js';

/** Which parameters weight decay applies to, by the names used in configs. */
export const decayGroups = ['all', 'no-batch-norm', 'kernels'] as const;
/** `all` parameters; all but scale and shift of BatchNorm; or kernels alone, so no bias either. */
export type DecayGroup = (typeof decayGroups)[number];

/** Does weight decay apply to this parameter? BatchNorm is known by its weight, which is a vector. */
export function decays(group: DecayGroup, name: string, parameters: ReadonlyMap<string, tf.Tensor>): boolean {
  if (group === 'all' || parameters.get(name)!.rank > 1) return true;
  if (group === 'kernels') return false;
  const weight = parameters.get(name.replace(/\.[^.]*$/, '.weight'));
  return weight !== undefined && weight.rank > 1;
}
