import type { Attack } from '../../hooks/index.js';
import { apgd, type ApgdOptions } from './restarts.js';

/** `apgd-ce`, `apgd-dlr`, `apgd-t`, with what departs from AutoAttack's use of them. */
function label({ loss, iterations, restarts, eot }: ApgdOptions): string {
  const name = loss === 'dlr-targeted' ? 'apgd-t' : `apgd-${loss}`;
  const parts = [iterations !== 100 && `${iterations}`, restarts > 1 && `x${restarts}`, eot > 1 && `eot${eot}`];
  return [name, ...parts.filter(Boolean)].join('-');
}

/** The attack with these options, as AutoAttack and the tiers use it. */
export const apgdAttack = (options: ApgdOptions): Attack => ({
  label: label(options),
  settings: { ...options },
  run: (images, labels, context) => apgd({ images, labels }, options, context),
});
