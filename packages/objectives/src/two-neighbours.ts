import {
  BulwarkError,
  defineObjective,
  plugin,
  renamed,
  type Objective,
  type ObjectiveForm,
  type PassText,
  type Role,
  type Term,
  type Views,
  type WeightedTerm,
} from '@bulwark/core';
import { weightOf } from '@bulwark/core/hooks';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { secondOf, twice } from './inner/twice.js';

/** Every pass once, in the order of the base method, each neighbour followed by its twin. */
function doubled({ passes, inner }: Objective): PassText[] {
  const once = passes.filter(({ role }, i) => passes.findIndex((pass) => pass.role === role) === i);
  return once.flatMap(({ role, updatesStatistics }) =>
    (inner.produces.includes(role) ? [role, secondOf(role)] : [role]).map((each) =>
      updatesStatistics ? each : `${each}:batch`,
    ),
  );
}

/**
 * A base method with two neighbours: terms that read a neighbour are taken at both; `mean` averages them, `max` takes, per
 * example, the neighbour with the larger weighted sum.
 */
export function withTwoNeighbours(base: Objective, combine: 'mean' | 'max'): ObjectiveForm {
  const { produces } = base.inner;
  const [joined] = base.passes.filter(({ role }) => /[+@]/.test(role));
  if (joined || base.afterStep || base.secondOrder?.length)
    throw new BulwarkError(
      'CONFIG_INVALID',
      `two-neighbours: ${base.name ?? 'this objective'} cannot be doubled: ${joined ? `its pass ${joined.role} is not of one point` : 'it is more than terms at single points'}`,
      { hint: 'choose an objective such as at, trades or mart' },
    );
  const twin = (role: Role) => (produces.includes(role) ? secondOf(role) : role);
  /** The same term at the second neighbour. */
  const second = (views: Views) => renamed(views, twin, secondOf);
  const atNeighbours = base.terms.filter((term) => term.needs.some((role) => produces.includes(role)));
  const common = base.terms.filter((term) => !atNeighbours.includes(term));

  const halfOf = (term: Term): Term['weight'] =>
    typeof term.weight === 'number' ? term.weight / 2 : (views) => tf.div(weightOf(term, views), 2) as tf.Scalar;
  const halves = ({ name, ...term }: Term): [string, WeightedTerm][] => {
    const half = { ...term, weight: halfOf({ name, ...term }) };
    return [
      [`${name}-1`, half],
      [`${name}-2`, { ...half, values: (views) => term.values(second(views)) }],
    ];
  };
  const worst = (over: Term['over']): [string, WeightedTerm][] => {
    const terms = atNeighbours.filter((term) => term.over === over);
    if (terms.length === 0) return [];
    const sum = (views: Views) => tf.addN(terms.map((term) => tf.mul(weightOf(term, views), term.values(views))));
    const name = terms.length === atNeighbours.length ? 'worst' : `worst-${over}`;
    return [[name, { weight: 1, over, values: (views) => tf.maximum(sum(views), sum(second(views))) as tf.Tensor1D }]];
  };
  const doubledTerms = combine === 'mean' ? atNeighbours.flatMap(halves) : [...worst('labelled'), ...worst('all')];
  const { inner, passes: _passes, terms: _terms, name: _name, states, ...rest } = base;
  return {
    ...rest,
    points: twice(inner),
    loss: Object.fromEntries([...common.map(({ name, ...term }) => [name, term] as const), ...doubledTerms]),
    ...(states?.passes && { passes: doubled(base) }),
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
