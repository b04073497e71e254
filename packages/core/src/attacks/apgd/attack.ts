import type { Attack } from '../../hooks/index.js';
import { apgd, classesNeeded, type ApgdLossName, type ApgdOptions } from './restarts.js';

/** What the losses are called in labels, where that is not their own name. */
const shortNames: Partial<Record<ApgdLossName, string>> = { 'dlr-targeted': 't', 'margin-targeted': 'margin-t' };
/** The same attack with the numerator of DLR alone, which is defined for any number of classes. */
const withoutSpread: Partial<Record<ApgdLossName, ApgdLossName>> = { dlr: 'margin', 'dlr-targeted': 'margin-targeted' };

/** `apgd-ce`, `apgd-dlr`, `apgd-t`, with what departs from AutoAttack's use of them. */
function label({ loss, iterations, restarts, eot }: ApgdOptions): string {
  const name = `apgd-${shortNames[loss] ?? loss}`;
  const parts = [iterations !== 100 && `${iterations}`, restarts > 1 && `x${restarts}`, eot > 1 && `eot${eot}`];
  return [name, ...parts.filter(Boolean)].join('-');
}

/** The attack with these options, as AutoAttack and the tiers use it. */
export function apgdAttack(options: ApgdOptions): Attack {
  const { loss } = options;
  const attack: Attack = {
    label: label(options),
    settings: { ...options },
    forClasses: (classes) =>
      classes < classesNeeded(loss) ? apgdAttack({ ...options, loss: withoutSpread[loss] ?? loss }) : attack,
    run: (images, labels, context) => apgd({ images, labels }, options, context),
  };
  return attack;
}
