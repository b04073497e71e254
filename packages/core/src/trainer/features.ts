import * as tf from '../tensor/index.js';
import { rolesOfPass, type Role, type Views } from '../hooks/index.js';
import type { Pass } from '../network/index.js';

/** What one layer made of the points of one outer pass, `[batch, ...]`. */
export interface PassFeature {
  readonly pass: Role;
  readonly layer: string;
  readonly tensor: tf.Tensor;
}

/**
 * All features that passes were asked for, in one order: the caller's. Clones, since two names may mean the same tensor, or one the logits, and the
 * tape differentiates by tensors.
 */
export const featuresByPass = (
  made: readonly { readonly roles: readonly Role[]; readonly pass: Pass }[],
): PassFeature[] =>
  made.flatMap(({ roles, pass }) =>
    roles.flatMap((role, at) =>
      [...(pass.features?.[at] ?? [])].map(([layer, tensor]) => ({ pass: role, layer, tensor: tensor.clone() })),
    ),
  );

/** What terms see of them: `tensors` are the same in the same order, on the tape. A pass of several points is taken apart. */
export const featureViews =
  (features: readonly PassFeature[], tensors: readonly tf.Tensor[]): Views['features'] =>
  (role, layer) => {
    const at = features.findIndex((each) => each.layer === layer && rolesOfPass(each.pass).includes(role));
    const roles = rolesOfPass(features[at]!.pass);
    return roles.length === 1 ? tensors[at]! : tf.split(tensors[at]!, roles.length)[roles.indexOf(role)]!;
  };

/** Gradients with respect to features, for the pullback of one model's passes; undefined if the loss depends on none. */
export function gradientsOfFeatures(
  features: readonly PassFeature[],
  gradients: readonly (tf.Tensor | null)[],
  passes: readonly Role[],
): ReadonlyMap<string, tf.Tensor>[] | undefined {
  if (features.length === 0) return undefined;
  return passes.map(
    (pass) =>
      new Map(
        features.flatMap((each, at) => {
          const gradient = gradients[at];
          return each.pass === pass && gradient ? [[each.layer, gradient] as const] : [];
        }),
      ),
  );
}
