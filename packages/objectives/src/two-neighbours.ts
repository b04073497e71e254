import {
  BulwarkError,
  defineObjective,
  plugin,
  renamed,
  weightOf,
  type Objective,
  type OuterPass,
  type Role,
  type Term,
  type Views,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { secondOf, twice } from './inner/twice.js';

/** The same term at the second neighbour. */
function atSecond(produces: readonly Role[]): (views: Views) => Views {
  const names = Object.fromEntries(produces.map((role) => [role, secondOf(role)]));
  return (views) => ({ ...renamed(views, names), fact: (name) => views.fact(secondOf(name)) });
}

/** Every pass once, in the order of the base method, each neighbour followed by its twin. */
function doubled(passes: readonly OuterPass[], produces: readonly Role[]): OuterPass[] {
  const once = passes.filter(({ role }, i) => passes.findIndex((pass) => pass.role === role) === i);
  return once.flatMap((pass) =>
    produces.includes(pass.role) ? [pass, { ...pass, role: secondOf(pass.role) }] : [pass],
  );
}

/**
 * A base method with two neighbours: terms that read a neighbour are taken at both; `mean` averages them, `max` takes, per
 * example, the neighbour with the larger weighted sum.
 */
export function withTwoNeighbours(base: Objective, combine: 'mean' | 'max'): Objective {
  const { produces } = base.inner;
  const [joined] = base.passes.filter(({ role }) => /[+@]/.test(role));
  if (joined || base.afterStep || base.secondOrder?.length)
    throw new BulwarkError(
      'CONFIG_INVALID',
      `two-neighbours: ${base.name ?? 'this objective'} cannot be doubled: ${joined ? `its pass ${joined.role} is not of one point` : 'it is more than terms at single points'}`,
      { cure: 'choose an objective such as at, trades or mart' },
    );
  const second = atSecond(produces);
  const twin = (role: Role) => (produces.includes(role) ? secondOf(role) : role);
  const atNeighbours = base.terms.filter((term) => term.needs.some((role) => produces.includes(role)));

  const halfOf = (term: Term): Term['weight'] =>
    typeof term.weight === 'number' ? term.weight / 2 : (views) => tf.div(weightOf(term, views), 2) as tf.Scalar;
  const halves = (term: Term): Term[] => [
    { ...term, name: `${term.name}-1`, weight: halfOf(term) },
    {
      ...term,
      name: `${term.name}-2`,
      weight: halfOf(term),
      needs: term.needs.map(twin),
      values: (views) => term.values(second(views)),
    },
  ];
  const worst = (over: Term['over']): Term[] => {
    const terms = atNeighbours.filter((term) => term.over === over);
    if (terms.length === 0) return [];
    const sum = (views: Views) => tf.addN(terms.map((term) => tf.mul(weightOf(term, views), term.values(views))));
    return [
      {
        name: atNeighbours.every((term) => term.over === over) ? 'worst' : `worst-${over}`,
        weight: 1,
        over,
        needs: [...new Set(terms.flatMap(({ needs }) => [...needs, ...needs.map(twin)]))],
        values: (views) => tf.maximum(sum(views), sum(second(views))) as tf.Tensor1D,
      },
    ];
  };
  const common = base.terms.filter((term) => !atNeighbours.includes(term));
  const doubledTerms = combine === 'mean' ? atNeighbours.flatMap(halves) : [...worst('labelled'), ...worst('all')];
  return {
    ...base,
    inner: twice(base.inner),
    passes: doubled(base.passes, produces),
    terms: [...common, ...doubledTerms],
  };
}

/** AT, TRADES and MART with two independently started neighbours per image. */
export const twoNeighbours = defineObjective({
  name: 'two-neighbours',
  summary: 'Another objective with two neighbours per image, and the mean or the maximum of what it does with one.',
  cite: 'Li et al., 2023, appendix C, Table 6; arXiv:2205.11156',
  options: {
    of: plugin('objective').describe('the objective, with its options'),
    combine: z
      .enum(['mean', 'max'])
      .default('mean')
      .describe('mean over both neighbours, or the worse one per example'),
  },
  create: ({ of, combine }, { make }) => withTwoNeighbours(make('objective', of), combine),
});
