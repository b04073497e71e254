import * as tf from '../tensor/index.js';
import type { Batch, ImageShape } from '../batch.js';
import { BulwarkError } from '../errors.js';
import type { CraftContext, InnerOptimizer, Role } from './inner-optimizer.js';
import {
  passes,
  pointsOfPass,
  type Objective,
  type ObjectiveExtras,
  type OuterPass,
  type PassText,
  type Term,
} from './objective.js';
import { heldTo, readsOf } from './trace.js';
import type { Views } from './views.js';

/** A value per example, `[batch]` float32, on the tape: a term of a loss, without its weight. */
export type PerExample = (views: Views) => tf.Tensor1D;

/** A term with its weight, and what it overrides of what follows from the values. */
export interface WeightedTerm {
  /** A number, or for weights that change along the run a function of the views. */
  readonly weight: Term['weight'];
  readonly values: PerExample;
  /** Default: the examples with a label, if the values read `y`, else all. Values at other examples must be 0. */
  readonly over?: Term['over'];
  /** Roles that it reads besides those that it is seen to read, at some places of the run only. */
  readonly reads?: readonly Role[];
}

/**
 * `weight` times values per example.
 * @example
 * ```ts
 * const term = weighted(6, ({ z }) => kl(z.natural, z.adversarial));
 * term.weight; // => 6
 * ```
 * @category Objectives
 */
export const weighted = (weight: Term['weight'], values: PerExample): WeightedTerm => ({ weight, values });

/** Makes one point of the ball from a batch, `[batch, h, w, c]` float32 in [0, 1]; off the tape, and tidied up afterwards. */
export type PointMaker = (batch: Batch, context: CraftContext, role: Role) => tf.Tensor4D;

/**
 * A training method in the words of its paper: which points it trains on, and the loss. Which logits a term reads, whether its mean runs
 * over all examples or those with a label, and which forward passes are made follow from the loss.
 */
export interface ObjectiveForm extends ObjectiveExtras {
  /** The neighbours of the images: an inner optimizer, or functions by the role of the point that they make. Default: none. */
  readonly points?: InnerOptimizer | Readonly<Record<string, PointMaker>>;
  /** Of points that are given as functions, those that leave the ball or the pixel range on purpose. */
  readonly beyond?: readonly Role[];
  /** Whether points that are given as functions keep to `radiusOf(threat)`, each example to its own radius. */
  readonly followsRadii?: boolean;
  /** Terms by name; their weighted sum is the loss. */
  readonly loss: Readonly<Record<string, PerExample | WeightedTerm>>;
  /**
   * Outer passes in the order in which they update running statistics, where the original's order is part of the method. Default: those
   * that the loss reads, the image first.
   */
  readonly passes?: readonly PassText[] | undefined;
}

const isInner = (points: NonNullable<ObjectiveForm['points']>): points is InnerOptimizer =>
  typeof (points as { craft?: unknown }).craft === 'function' && Array.isArray((points as InnerOptimizer).produces);

function innerOf({ points, beyond, followsRadii }: ObjectiveForm): InnerOptimizer {
  if (points === undefined) return { produces: [], craft: () => ({ points: {} }) };
  if (isInner(points)) return points;
  return {
    produces: Object.keys(points),
    ...(beyond && { beyond }),
    ...(followsRadii && { followsRadii }),
    craft: (batch, context) => ({
      points: tf.tidy(() =>
        Object.fromEntries(Object.entries(points).map(([role, make]) => [role, make(batch, context, role)])),
      ),
    }),
  };
}

/** The passes that follow from what terms read: the image, then the points in the order in which they are made, then companions. */
export function passesOf({ inner, terms }: Pick<Objective, 'inner' | 'terms'>): OuterPass[] {
  const read = new Set(terms.flatMap(({ needs }) => needs));
  const own = ['natural', ...inner.produces];
  const others = [...read].filter((role) => !own.includes(role));
  // what is neither made nor a companion's is left to the check of the whole
  const companions = others.filter((role) => pointsOfPass(role).companion !== undefined);
  return passes([...own.filter((role) => read.has(role)), ...companions]);
}

/** What a run knows before an objective is made. */
interface Known {
  readonly classes: number;
  readonly inputShape: ImageShape;
}

/** What a term reads; what is wrong with it is said of the term. @throws BulwarkError */
function readsOfTerm(name: string, term: WeightedTerm, of: Known) {
  try {
    return readsOf(term, of);
  } catch (cause) {
    const { message, hint = 'terms are tried on two made-up examples when a run is composed' } = cause as BulwarkError;
    const code = cause instanceof BulwarkError ? cause.code : 'OBJECTIVE_INVALID';
    throw new BulwarkError(code, `the ${name} term: ${message}`, { hint, cause });
  }
}

/** The objective that a form means. @throws BulwarkError OBJECTIVE_INVALID and what a term throws on two made-up examples */
export function objectiveOf(form: ObjectiveForm, of: Known): Objective {
  if (Object.keys(form.loss ?? {}).length === 0 && !form.secondOrder?.length)
    throw new BulwarkError('OBJECTIVE_INVALID', 'it gives no loss', {
      hint: 'return loss: { classification: ({ z, y }) => crossEntropy(z.natural, y) }, or other terms by name',
    });
  const { points: _points, beyond: _beyond, followsRadii: _followsRadii, loss, passes: stated, ...rest } = form;
  const inner = innerOf(form);
  const terms = Object.entries(loss).map(([name, given]): Term => {
    const term = typeof given === 'function' ? weighted(1, given) : given;
    const { weight, values } = term;
    const seen = readsOfTerm(name, term, of);
    const reads = { ...seen, roles: [...new Set([...seen.roles, ...(term.reads ?? [])])] };
    const held = (views: Views) => heldTo(reads, views, `the ${name} term`);
    return {
      name,
      weight: typeof weight === 'function' ? (views) => weight(held(views)) : weight,
      needs: reads.roles,
      ...(reads.features.length > 0 && { features: reads.features }),
      over: term.over ?? (reads.y ? 'labelled' : 'all'),
      values: (views) => values(held(views)),
    };
  });
  const states = {
    passes: stated !== undefined,
    over: Object.entries(loss).flatMap(([name, term]) => (typeof term !== 'function' && term.over ? [name] : [])),
  };
  return { ...rest, inner, terms, passes: stated ? passes(stated) : passesOf({ inner, terms }), states };
}
