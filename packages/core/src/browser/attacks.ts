import { apgdRecipe } from '../attacks/recipe.js';
import { apgdAttack } from '../attacks/apgd/attack.js';
import type { ApgdOptions } from '../attacks/apgd/restarts.js';
import { fixedStepAttack, type FixedStep } from '../attacks/fixed-step.js';
import type { Attack } from '../hooks/index.js';

/** Options of PGD; what is left out is as in `bulwark plugins pgd`. */
export type PgdChoices = Partial<Omit<FixedStep, 'transform'>>;

/** Options of Auto-PGD; what is left out is as in `bulwark plugins apgd`. */
export type ApgdChoices = Partial<ApgdOptions>;

/** PGD without the schema of its options, which a page has no use for (Madry et al., 2018; arXiv:1706.06083). */
export const pgdInPage = (choices: PgdChoices = {}): Attack => ({
  label: 'pgd',
  settings: { ...choices },
  run: (images, labels, context) =>
    fixedStepAttack(
      { images, labels },
      { loss: 'ce', steps: 20, start: 'random', stepSize: context.threat.epsilon / 4, ...choices },
      context,
    ),
});

/** Auto-PGD without the schema of its options (Croce and Hein, 2020; arXiv:2003.01690). */
export const apgdInPage = (choices: ApgdChoices = {}): Attack => apgdAttack({ ...apgdRecipe, ...choices });
