import type * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from '../errors.js';
import type { InnerOptimizer, Role } from './inner-optimizer.js';
import type { Views } from './views.js';

/** One named part of the loss. The loss is the mean over examples of the sum of `weight * values`. */
export interface Term {
  readonly name: string;
  readonly weight: number;
  /** Roles whose logits it reads. */
  readonly needs: readonly Role[];
  /**
   * Which examples the mean runs over: `all`, or only those with a label (classification terms of RST). Values at other
   * examples must be 0.
   */
  readonly over: 'all' | 'labelled';
  /** `[batch]` float32, on the tape. */
  values(views: Views): tf.Tensor1D;
}

/**
 * One outer pass: a forward pass with batch statistics. Its order is the order in which running statistics are updated;
 * `updatesStatistics: false` is a pass that leaves them alone. A role may occur twice: it is computed once, and its statistics are
 * applied twice.
 */
export interface OuterPass {
  readonly role: Role;
  readonly updatesStatistics: boolean;
}

/** A named bundle of an inner optimizer, outer passes and loss terms: a training method. */
export interface Objective {
  /** For messages; `checkObjective` sets it. */
  readonly name?: string;
  readonly inner: InnerOptimizer;
  readonly passes: readonly OuterPass[];
  readonly terms: readonly Term[];
  /** Passes in `train` mode over the natural batch before the attack, for methods whose attack sees the updated statistics. */
  readonly passesBefore?: readonly Role[];
  /** Passes in `train` mode after the update, at the new weights (Rice et al.'s clean pass). */
  readonly passesAfter?: readonly Role[];
  /** What the method carries from step to step, if anything, so that checkpoints hold it. */
  readonly state?: HookState;
  /** Frees what the method owns (a helper model, for example) when its run ends. */
  dispose?(): void;
}

/** State of a hook for checkpoints: tensors by name, and plain JSON. The hook keeps ownership of what it saves. */
export interface HookState {
  /** What a checkpoint keeps. */
  save(): { tensors: ReadonlyMap<string, tf.Tensor>; values: unknown };
  /** Goes on from what `save` gave; copies the tensors that it keeps. */
  restore(saved: { tensors: ReadonlyMap<string, tf.Tensor>; values: unknown }): void;
}

/** A pass written as `role` or `role:batch` (no update of running statistics). */
export type PassText = string;

/** Reads passes such as `['natural', 'adversarial', 'natural']` or `['collaborative:batch', 'natural']`. */
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
  const passed = objective.passes.map(({ role }) => role);
  const require = (role: Role, where: string, known: readonly Role[], cure: string) => {
    if (!known.includes(role))
      throw new BulwarkError(
        'ROLE_MISSING',
        `${name}: ${where} needs the ${role} point, but there is only ${known.join(', ')}`,
        { cure },
      );
  };
  const chooseInner = 'choose an inner optimizer that makes it, or a term that does without';
  for (const role of passed) require(role, 'an outer pass', made, chooseInner);
  for (const term of objective.terms)
    for (const role of term.needs) {
      require(role, `the ${term.name} term`, made, chooseInner);
      require(role, `the ${term.name} term`, passed, `add ${role} to the outer passes`);
    }
  return { ...objective, name };
}
