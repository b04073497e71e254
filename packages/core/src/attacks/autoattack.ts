import * as tf from '../tensor/index.js';
import { z } from 'zod';
import { BulwarkError } from '../errors.js';
import { breaks, judge } from '../evaluation/index.js';
import type { Attack, AttackContext } from '../hooks/index.js';
import { contradiction, defineAttack, doubt, integer, type Finding } from '../plugins/index.js';
import { norms, type NormName } from '../threat/index.js';
import { apgdAttack } from './apgd/attack.js';
import type { ApgdOptions } from './apgd/restarts.js';
import { fabAttack } from './fab/plugin.js';
import { apgdRecipe, fabRecipe, squareRecipe } from './recipe.js';
import { gatherExamples } from './gradient.js';
import { squareAttack } from './square/plugin.js';
import { SurvivorPool } from './survivors.js';

/** The attacks that AutoAttack is made of. */
export const autoAttackParts = ['apgd-ce', 'apgd-dlr', 'apgd-t', 'fab', 'fab-t', 'square'] as const;
/** A part of AutoAttack by its name. */
export type AutoAttackPart = (typeof autoAttackParts)[number];
/** The versions of the official code, and a custom list. */
export const autoAttackVersions = ['standard', 'plus', 'rand', 'custom'] as const;

/** How AutoAttack is put together. */
export interface AutoAttackOptions {
  readonly version: (typeof autoAttackVersions)[number];
  /** The parts of `custom`, in order. */
  readonly attacks?: readonly AutoAttackPart[] | undefined;
  readonly queries: number;
  /** Restarts of apgd-ce, apgd-dlr and fab; default as the version says. */
  readonly restarts?: number | undefined;
  /** Gradients averaged per iteration; default 20 in `rand`, else 1. */
  readonly eot?: number | undefined;
}

const orders: Record<AutoAttackOptions['version'], readonly AutoAttackPart[]> = {
  standard: ['apgd-ce', 'apgd-t', 'fab-t', 'square'],
  plus: ['apgd-ce', 'apgd-dlr', 'fab', 'square', 'apgd-t', 'fab-t'],
  rand: ['apgd-ce', 'apgd-dlr'],
  custom: [],
};

/** The stages of a version, with the settings of the official code for each norm. */
function stagesOf({ version, attacks, queries, restarts, eot }: AutoAttackOptions, norm: NormName): Attack[] {
  const l1Standard = version === 'standard' && norms[norm].sparse;
  const many = restarts ?? (version === 'standard' || version === 'rand' ? 1 : 5);
  const apgd: ApgdOptions = {
    ...apgdRecipe,
    restarts: many,
    ...(l1Standard && { targets: 5, largeRadii: true }),
    eot: eot ?? (version === 'rand' ? 20 : apgdRecipe.eot),
  };
  const makers: Record<AutoAttackPart, () => Attack> = {
    'apgd-ce': () => apgdAttack({ ...apgd, restarts: l1Standard ? (restarts ?? 5) : many }),
    'apgd-dlr': () => apgdAttack({ ...apgd, loss: 'dlr' }),
    'apgd-t': () => apgdAttack({ ...apgd, loss: 'dlr-targeted', restarts: 1 }),
    fab: () => fabAttack({ ...fabRecipe, restarts: many }),
    'fab-t': () => fabAttack({ ...fabRecipe, targets: apgdRecipe.targets }),
    square: () => squareAttack({ ...squareRecipe, queries }),
  };
  return (attacks ?? orders[version]).map((part) => {
    const made = makers[part]();
    const forClasses = (classes: number): Attack => {
      const fitting = made.forClasses?.(classes) ?? made;
      return fitting === made ? stage : fitting;
    };
    // results name the stages as the official code does, whatever their restarts
    const stage: Attack = { ...made, label: part, forClasses };
    return stage;
  });
}

/** Runs the stages in turn on the survivors of one batch; each stage draws from the same state, as the official code reseeds. */
async function cascade(
  stages: readonly Attack[],
  target: { images: tf.Tensor4D; labels: tf.Tensor1D },
  context: AttackContext,
): Promise<tf.Tensor4D> {
  const pool = await SurvivorPool.of(target, context);
  const seed = context.random.state();
  for (const [s, stage] of stages.entries()) {
    if (pool.survivors.length === 0) break;
    const { images, labels, indices } = pool.batch();
    context.random.restore(seed);
    const progress = (share: number) => context.progress?.((s + share) / stages.length);
    const observe: AttackContext['observe'] = ({ kind, note, perExample }) => {
      const values = new Float32Array(target.images.shape[0]);
      perExample?.forEach((value, k) => (values[indices[k]!] = value));
      context.observe?.({ kind, note, perExample: values });
    };
    const clean = { model: context.model, images, logits: gatherExamples(pool.cleanLogits, indices) };
    const { candidates, verdicts } = await judge(stage, { images, labels }, { ...context, clean, progress, observe });
    pool.settle(
      indices,
      verdicts.map((verdict) => Number(!breaks(verdict))),
      candidates,
    );
    tf.dispose([images, labels, candidates, clean.logits]);
  }
  return pool.finish();
}

/** What departs from a version is part of its name: only the version itself is AutoAttack. */
function labelOf({ version, queries, restarts, eot }: AutoAttackOptions, stages: readonly Attack[]): string {
  if (version === 'custom') return `autoattack-custom(${stages.map(({ label }) => label).join('+')})`;
  const changes = [
    queries !== squareRecipe.queries && `queries${queries}`,
    restarts !== undefined && `x${restarts}`,
    eot !== undefined && `eot${eot}`,
  ];
  return [`autoattack-${version}`, ...changes.filter(Boolean)].join('-');
}

function ensemble(stages: readonly Attack[], options: AutoAttackOptions): Attack {
  const attack: Attack = {
    label: labelOf(options, stages),
    settings: { ...options },
    stages,
    // with other parts it is no version of the official code any more
    forClasses(classes) {
      const fitting = stages.map((stage) => stage.forClasses?.(classes) ?? stage);
      const same = fitting.every((stage, s) => stage === stages[s]);
      return same ? attack : ensemble(fitting, { ...options, version: 'custom' });
    },
    run: (images, labels, context) => cascade(stages, { images, labels }, context),
  };
  return attack;
}

/** The ensemble with these options for a norm. */
export const autoAttack = (options: AutoAttackOptions, norm: NormName): Attack =>
  ensemble(stagesOf(options, norm), options);

/** Options that the parts of the ensemble do not know. */
function examineParts({ version, attacks, queries, restarts, eot }: AutoAttackOptions): Finding[] {
  if ((version === 'custom') !== (attacks !== undefined))
    return [
      contradiction(
        `version is ${version}, and attacks is ${attacks ? attacks.join(', ') : 'missing'}`,
        'give attacks together with version custom, and only there',
      ),
    ];
  const parts = attacks ?? orders[version];
  const idle = (option: string, value: number | undefined, names: readonly AutoAttackPart[]) =>
    value === undefined || parts.some((part) => names.includes(part))
      ? []
      : [
          doubt(
            `${option} is ${value} and has no effect: there is no ${names.join(' or ')} among ${parts.join(', ')}`,
            'leave it out',
          ),
        ];
  return [
    ...idle('queries', queries === squareRecipe.queries ? undefined : queries, ['square']),
    ...idle('restarts', restarts, ['apgd-ce', 'apgd-dlr', 'fab']),
    ...idle('eot', eot, ['apgd-ce', 'apgd-dlr', 'apgd-t']),
  ];
}

export const autoAttackPlugin = defineAttack({
  name: 'autoattack',
  summary: 'AutoAttack: an ensemble without parameters to tune; the figure that papers compare.',
  cite: 'Croce and Hein, 2020; arXiv:2003.01690; l1: Croce and Hein, 2021; arXiv:2103.01208',
  options: {
    version: z
      .enum(autoAttackVersions)
      .default('standard')
      .describe('standard, plus, rand (randomised models) or custom'),
    attacks: z.array(z.enum(autoAttackParts)).min(1).optional().describe('Parts of the custom version, in order'),
    queries: integer({ min: 1 }).default(squareRecipe.queries).describe('Queries of square'),
    restarts: integer({ min: 1 })
      .optional()
      .describe('Restarts of apgd-ce, apgd-dlr and fab; default as the version says'),
    eot: integer({ min: 1 }).optional().describe('Gradients averaged per iteration; default 20 in rand, else 1'),
  },
  examine: examineParts,
  create(options, services) {
    const wrong = examineParts(options).find(({ kind }) => kind === 'contradiction');
    // an ensemble of nothing would break nothing
    if (wrong) throw new BulwarkError('CONFIG_INVALID', `autoattack: ${wrong.text}`, { hint: wrong.hint });
    return autoAttack(options, services.threat.norm.name);
  },
});
