import type * as tf from '../tensor/index.js';
import { BulwarkError } from '../errors.js';
import type { Classifier } from '../classifier/index.js';
import type { Batch } from '../batch.js';
import type { CraftContext, InnerOptimizer, Role } from './inner-optimizer.js';
import type { StepFindings, Views } from './views.js';

/** What a layer makes of a point. */
export interface Feature {
  readonly role: Role;
  /** Name of a layer of the network, or `<name>.input`. */
  readonly layer: string;
}

/** One named part of the loss. The loss is the mean over examples of the sum of `weight * values`. */
export interface Term {
  readonly name: string;
  /** A number, or for weights that change along the run a function of it. */
  readonly weight: number | ((views: Views) => number | tf.Scalar);
  /** Roles whose logits or features it reads. */
  readonly needs: readonly Role[];
  /** Layers whose outputs it reads, of which role. */
  readonly features?: readonly Feature[];
  /**
   * Which examples the mean runs over: `all`, or only those with a label (classification terms of RST). Values at other
   * examples must be 0.
   */
  readonly over: 'all' | 'labelled';
  /** `[batch]` float32, on the tape. */
  values(views: Views): tf.Tensor1D;
}

/**
 * A term that is made of a gradient with respect to images (GradAlign), and so is differentiated twice. Its passes go through
 * `model.taped`, which is slow and keeps every activation.
 */
export interface SecondOrderTerm {
  readonly name: string;
  readonly weight: number;
  /**
   * Value per example `[batch]` float32, on the tape.
   * @param given.logits of points `[batch, h, w, c]`, with batch statistics, `[batch, classes]`
   * @param given.point a point of the inner optimizer, or the image itself (`natural`)
   */
  values(given: {
    readonly batch: Batch;
    readonly y: tf.Tensor2D;
    logits(images: tf.Tensor4D): tf.Tensor2D;
    point(role: Role): tf.Tensor4D;
    fact(name: string): tf.Tensor;
  }): tf.Tensor1D;
}

/**
 * One outer pass: a forward pass with batch statistics. Its order is the order in which running statistics are updated;
 * `updatesStatistics: false` is a pass that leaves them alone. A role may occur twice: it is computed once, and its statistics are
 * applied twice. `a+b` is one pass of several points, which BatchNorm normalises together; `helper@natural` is a pass of the
 * companion `helper`.
 */
export interface OuterPass {
  readonly role: Role;
  readonly updatesStatistics: boolean;
}

/** What a training method may have besides points and loss. */
export interface ObjectiveExtras {
  /** Passes in `train` mode over the natural batch before the attack, for methods whose attack sees the updated statistics. */
  readonly passesBefore?: readonly Role[];
  /** Passes in `train` mode after the update, at the new weights (Rice et al.'s clean pass). */
  readonly passesAfter?: readonly Role[];
  /** Terms that are differentiated twice. */
  readonly secondOrder?: readonly SecondOrderTerm[];
  /** How often each batch is worked through in a row, with an update each time (Free-AT); default 1. */
  readonly replays?: number;
  /** How often the optimizer makes its update with the gradients of one step; default 1. Decay is taken at the weights of each. */
  readonly updates?: number;
  /**
   * A radius for each example, `[batch]` float32, that its attack keeps to in place of the threat model's (per class, per image by `batch.indices`,
   * along the run). Off the tape; a part of a batch is given as the whole is.
   */
  radii?(batch: Batch, context: Pick<CraftContext, 'threat' | 'epoch' | 'epochs' | 'progress'>): tf.Tensor1D;
  /** Points at which `afterStep` wants to know the gradient of the loss. */
  readonly imageGradients?: readonly Role[];
  /**
   * Models that are trained along, by name: the same gradients, optimizer and checkpoints. The logits of one are those of the role
   * `<name>@<role>`. The objective disposes them.
   */
  readonly companions?: ReadonlyMap<string, Classifier>;
  /** After the update of every step: what a method learns from step to step. Off the tape. */
  afterStep?(findings: StepFindings): void;
  /** After every epoch (from 0), before its validation. */
  afterEpoch?(at: { readonly epoch: number; readonly epochs: number; readonly model: Classifier }): void;
  /** What the method carries from step to step, if anything, so that checkpoints hold it. */
  readonly state?: HookState;
  /** Frees what the method owns (a helper model, for example) when its run ends. */
  dispose?(): void;
}

/** A named bundle of an inner optimizer, outer passes and loss terms: a training method. */
export interface Objective extends ObjectiveExtras {
  /** For messages; `checkObjective` sets it. */
  readonly name?: string;
  readonly inner: InnerOptimizer;
  readonly passes: readonly OuterPass[];
  readonly terms: readonly Term[];
  /** What its author states although it may follow from the loss: the passes, and which examples terms run over. */
  readonly states?: { readonly passes: boolean; readonly over: readonly string[] };
}

/** State of a hook for checkpoints: tensors by name, and plain JSON. The hook keeps ownership of what it saves. */
export interface HookState {
  /** What a checkpoint keeps. */
  save(): { tensors: ReadonlyMap<string, tf.Tensor>; values: unknown };
  /** Goes on from what `save` gave; copies the tensors that it keeps. */
  restore(saved: { tensors: ReadonlyMap<string, tf.Tensor>; values: unknown }): void;
}

/** The companion and the points that a pass names: `helper@natural` is the companion `helper` at `natural`, `a+b` two points at once. */
export function pointsOfPass(pass: Role): { readonly companion?: string; readonly points: readonly Role[] } {
  const at = pass.indexOf('@');
  const points = pass.slice(at + 1).split('+');
  return at < 0 ? { points } : { companion: pass.slice(0, at), points };
}

/** The roles whose logits a pass gives: `a` and `b` for `a+b`, `helper@natural` for itself. */
export function rolesOfPass(pass: Role): readonly Role[] {
  const { companion, points } = pointsOfPass(pass);
  return companion === undefined ? points : points.map((point) => `${companion}@${point}`);
}

/**
 * The weight of a term at one place of the run.
 * @example
 * ```ts
 * const views = { progress: 0.25 } as Views;
 * weightOf({ weight: 6 }, views); // => 6
 * weightOf({ weight: ({ progress }) => 8 * progress }, views); // => 2
 * ```
 * @category Objectives
 */
export const weightOf = ({ weight }: Pick<Term, 'weight'>, views: Views): number | tf.Scalar =>
  typeof weight === 'function' ? weight(views) : weight;

/** Names of all terms, in the order in which their values are reported. */
export const termNames = ({ terms, secondOrder = [] }: Pick<Objective, 'terms' | 'secondOrder'>): readonly string[] =>
  [...terms, ...secondOrder].map(({ name }) => name);

/** A pass written as `role`, `role:batch` (no update of running statistics), `a+b` or `companion@role`. */
export type PassText = string;

/**
 * Reads passes such as `['natural', 'adversarial', 'natural']` or `['collaborative:batch', 'natural']`.
 * @example
 * ```ts
 * passes(['natural', 'collaborative:batch']); // => [{ "role": "natural", "updatesStatistics": true }, { "role": "collaborative", "updatesStatistics": false }]
 * ```
 * @category Objectives
 */
export function passes(texts: readonly PassText[]): OuterPass[] {
  return texts.map((text) => {
    const [role, mode] = text.split(':') as [string, string | undefined];
    return { role, updatesStatistics: mode !== 'batch' };
  });
}

/**
 * Checks that a bundle fits together: every role that a term or pass reads is made, and every role that a term reads has a pass.
 * @returns the objective with its name
 * @throws BulwarkError ROLE_MISSING
 */
export function checkObjective(objective: Objective, name: string): Objective {
  const made = ['natural', ...objective.inner.produces];
  const passed = objective.passes.flatMap(({ role }) => rolesOfPass(role));
  const require = (role: Role, where: string, known: readonly Role[], hint: string) => {
    if (!known.includes(role))
      throw new BulwarkError(
        'ROLE_MISSING',
        `${name}: ${where} needs the ${role} point, but there is only ${known.join(', ')}`,
        { hint },
      );
  };
  const chooseInner = 'choose an inner optimizer that makes it, or a term that does without';
  for (const { role } of objective.passes) {
    const { companion, points } = pointsOfPass(role);
    if (companion !== undefined && !objective.companions?.has(companion))
      throw new BulwarkError('ROLE_MISSING', `${name}: the pass ${role} is of a companion that there is not`, {
        hint: `companions: ${[...(objective.companions?.keys() ?? [])].join(', ') || 'none'}`,
      });
    for (const point of points) require(point, 'an outer pass', made, chooseInner);
  }
  for (const companion of objective.companions?.keys() ?? [])
    if (!objective.passes.some(({ role }) => pointsOfPass(role).companion === companion))
      throw new BulwarkError(
        'ROLE_MISSING',
        `${name}: no outer pass is of the companion ${companion}, so nothing trains it`,
        {
          hint: `add ${companion}@natural to the outer passes`,
        },
      );
  for (const term of objective.terms)
    for (const role of term.needs) {
      for (const point of pointsOfPass(role).points) require(point, `the ${term.name} term`, made, chooseInner);
      require(role, `the ${term.name} term`, passed, `add ${role} to the outer passes`);
    }
  if (objective.radii && objective.inner.produces.length > 0 && !objective.inner.followsRadii)
    throw new BulwarkError(
      'ATTACK_INVALID',
      `${name}: it gives each example a radius of its own, but the attack that makes ${objective.inner.produces.join(', ')} takes one for all`,
      {
        hint: 'take an attack that follows radii (pgd, squeeze), or let it read radiusOf(threat) and say followsRadii: true',
      },
    );
  return { ...objective, name };
}
