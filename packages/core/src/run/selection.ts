import { BulwarkError } from '../errors.js';
import { isSingleStep } from '../trainer/index.js';
import type { ComposedRun } from './compose.js';
import { labelsOf } from './validate.js';

/** @throws BulwarkError CONFIG_INVALID where a guard is asked for that could never see anything */
function checkWatched({ config, attacks, parts }: ComposedRun): void {
  const { action, share } = config.guard.overfitting;
  if (action === 'warn' || share === 0) return;
  const missing = !parts.data.validation
    ? 'there are no validation images'
    : attacks.every(({ label }) => isSingleStep(label))
      ? `validation measures no attack of several steps (${attacks.map(({ label }) => label).join(', ') || 'none at all'})`
      : undefined;
  if (missing !== undefined)
    throw new BulwarkError('CONFIG_INVALID', `guard.overfitting.action is ${action}, but ${missing}`, {
      hint: 'hold out validation images and add { use: pgd, steps: 10 } to evaluation.attacks, or leave the action at warn',
    });
}

/** Label of the validation accuracy that chooses the best checkpoint; undefined without validation images. */
export function selection(composed: ComposedRun): string | undefined {
  const { config, parts } = composed;
  checkWatched(composed);
  if (!parts.data.validation) return undefined;
  const labels = labelsOf(composed);
  const wanted = config.evaluation.selectBest;
  if (wanted === undefined) return labels.at(-1);
  const found = labels.find((label) => label === wanted) ?? labels.find((label) => label.startsWith(`${wanted}-`));
  if (found === undefined)
    throw new BulwarkError(
      'CONFIG_INVALID',
      `evaluation.selectBest is ${JSON.stringify(wanted)}; validation measures ${labels.join(', ')}`,
      { hint: 'name one of these, or add the attack to evaluation.attacks' },
    );
  return found;
}
