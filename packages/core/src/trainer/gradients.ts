import * as tf from '../tensor/index.js';
import type { Batch } from '../batch.js';
import { BulwarkError } from '../errors.js';
import { keepStatistics, logitGradients, type Classifier } from '../classifier/index.js';
import {
  pointsOfPass,
  progressOf,
  rolesOfPass,
  weightOf,
  type CraftContext,
  type Crafted,
  type Logits,
  type Objective,
  type Reduction,
  type Role,
  type Term,
  type Views,
} from '../hooks/index.js';
import { oneHotLabels } from '../loss/index.js';
import type { BatchStatistics, Gradients, Pass, TakeGradient } from '../network/index.js';
import { featuresByPass, featureViews, gradientsOfFeatures } from './features.js';
import { secondOrderGradients } from './second-order.js';

/** Where in the run a batch is worked on. */
export type Place = Pick<CraftContext, 'epoch' | 'epochs' | 'progress'>;

/** The loss of one batch at the current weights, with everything that its passes produced. All tensors are the caller's. */
export interface LossGradients {
  /** The scalar that was differentiated, then each term's mean by name (without its weight), as one tensor `[1 + terms]`. */
  readonly values: tf.Tensor1D;
  /** By parameter name; those of a companion are called `<companion>@<name>`. Without those that were taken. */
  readonly gradients: Gradients;
  /** Batch statistics of each outer pass. */
  readonly statistics: ReadonlyMap<Role, BatchStatistics>;
  /** Logits `[batch, classes]` of each role that was passed. */
  readonly logits: ReadonlyMap<Role, tf.Tensor2D>;
  /** Gradients of the loss with respect to the points that the objective asks for, `[batch, h, w, c]`. */
  readonly images: ReadonlyMap<Role, tf.Tensor4D>;
}

const mean: Reduction = (perExample) => tf.mean(perExample) as tf.Scalar;

/** The one place where per-example terms become a scalar: means over all examples, or over those with a label. */
function scaled(term: Term, views: Views, labelledScale: tf.Scalar): tf.Tensor1D {
  const values = term.values(views);
  return term.over === 'labelled' ? tf.mul(values, labelledScale) : values;
}

/**
 * Number of examples over the number of those with a label: what turns a mean over all into one over these. 1 if none has a label, so
 * that empty sums stay 0. A tensor, since reading labels back would make a GPU wait.
 */
export function labelledScaleOf(parts: readonly (tf.Tensor1D | Int32Array)[]): tf.Scalar {
  return tf.tidy(() => {
    const labels = tf.concat(parts.map((part) => (part instanceof Int32Array ? tf.tensor1d(part, 'int32') : part)));
    const count = tf.sum(tf.cast(tf.greaterEqual(labels, 0), 'float32'));
    return tf.div(labels.size, tf.add(count, tf.mul(labels.size, tf.cast(tf.equal(count, 0), 'float32')))) as tf.Scalar;
  });
}

const noFeatures: Views['features'] = (role, layer) => {
  throw new BulwarkError('ROLE_MISSING', `features of ${role} at ${layer} are there for terms of the loss only`, {
    hint: 'read them in the loss',
  });
};

/** What terms and `afterStep` see of one batch. */
export function viewsOf(given: {
  batch: Batch;
  classes: number;
  place: Place;
  facts: Crafted['facts'];
  logits: ReadonlyMap<Role, tf.Tensor2D>;
  features?: Views['features'];
}): Views {
  const { batch, classes, place, facts, logits, features = noFeatures } = given;
  return {
    batch,
    classes,
    y: batch.targets ?? oneHotLabels(batch.labels, classes),
    epoch: place.epoch,
    epochs: place.epochs,
    progress: progressOf(place),
    features,
    fact: (name) => facts![name]!,
    z: Object.fromEntries(logits) as unknown as Logits,
  };
}

/** The outer passes of one model, made together. */
interface ModelPasses {
  readonly companion: string;
  readonly roles: readonly Role[];
  readonly pass: Pass;
}

/** Layers that terms look at in any of these passes. */
const featuresOf = ({ terms }: Objective, passes: readonly Role[]): string[] => {
  const roles = passes.flatMap(rolesOfPass);
  const read = terms.flatMap(({ features = [] }) => features.filter(({ role }) => roles.includes(role)));
  return [...new Set(read.map(({ layer }) => layer))];
};

/** Makes each outer pass once: those of the model, then those of each companion. */
function makePasses(
  model: Classifier,
  objective: Objective,
  pointOf: (role: Role) => tf.Tensor4D,
): { made: readonly ModelPasses[]; free: () => void } {
  const roles = [...new Set(objective.passes.map(({ role }) => role))];
  const joined: tf.Tensor[] = [];
  const made = ['', ...(objective.companions?.keys() ?? [])].map((companion): ModelPasses => {
    const own = roles.filter((role) => (pointsOfPass(role).companion ?? '') === companion);
    const images = own.map((role) => {
      const { points } = pointsOfPass(role);
      if (points.length === 1) return pointOf(points[0]!);
      const together = tf.concat(points.map(pointOf)) as tf.Tensor4D;
      joined.push(together);
      return together;
    });
    const wrt = companion === '' && objective.imageGradients?.length ? 'all' : 'parameters';
    const network = companion === '' ? model : objective.companions!.get(companion)!;
    const features = featuresOf(objective, own);
    const request = { mode: 'batch', wrt, ...(features.length > 0 && { features }) } as const;
    return { companion, roles: own, pass: network.pass(images, request) };
  });
  return {
    made,
    free() {
      made.forEach(({ pass }) => pass.dispose());
      tf.dispose(joined);
    },
  };
}

/** The logits of each role: a pass of several points is taken apart. On the tape, if there is one. */
function logitsByRole(made: readonly ModelPasses[], logits: readonly tf.Tensor2D[]): Map<Role, tf.Tensor2D> {
  const passes = made.flatMap(({ roles }) => roles);
  return new Map(
    passes.flatMap((pass, at) => {
      const roles = rolesOfPass(pass);
      const pieces = roles.length === 1 ? [logits[at]!] : tf.split(logits[at]!, roles.length);
      return roles.map((role, i) => [role, pieces[i] as tf.Tensor2D] as const);
    }),
  );
}

/**
 * Differentiates the objective at the current weights: one forward pass with batch statistics per role, one backward pass. Nothing
 * is written to the model; `statistics` are applied by whoever decides that this pass counts.
 */
export function lossGradients(options: {
  model: Classifier;
  objective: Objective;
  batch: Batch;
  crafted: Crafted;
  place: Place;
  reduction?: Reduction;
  /** What the loss is multiplied by before it is differentiated; `values` are without it. Default 1. */
  scale?: number;
  /** `labelledScaleOf` what `batch` is a part of; default: of the batch. */
  labelledScale?: tf.Scalar;
  /** Gets gradients while others are still being found, where the engine comes by them one after the other; not with `secondOrder`. */
  take?: TakeGradient;
}): LossGradients {
  const { model, objective, batch, crafted, place, reduction = mean, scale, take } = options;
  const labelledScale = options.labelledScale ?? labelledScaleOf([batch.labels]);
  const pointOf = (role: Role) => (role === 'natural' ? batch.images : crafted.points[role]!);
  const { made, free } = makePasses(model, objective, pointOf);
  const logits = made.flatMap(({ pass }) => pass.logits);
  const features = featuresByPass(made);

  let values: tf.Tensor1D | undefined;
  const loss = (...at: tf.Tensor[]) => {
    const byRole = logitsByRole(made, at.slice(0, logits.length) as tf.Tensor2D[]);
    const seen = featureViews(features, at.slice(logits.length));
    const views = viewsOf({
      batch,
      classes: model.classes,
      place,
      facts: crafted.facts,
      logits: byRole,
      features: seen,
    });
    const terms = objective.terms.map((term) => ({
      weight: weightOf(term, views),
      values: scaled(term, views, labelledScale),
    }));
    const total = reduction(tf.addN(terms.map(({ weight, values: v }) => tf.mul(weight, v))) as tf.Tensor1D);
    values = tf.keep(tf.stack([total, ...terms.map((term) => tf.mean(term.values))]) as tf.Tensor1D);
    return total;
  };
  const scaledLoss = (...at: tf.Tensor2D[]) => tf.mul(loss(...at), scale!);
  const { value, dLogits: found } = logitGradients(
    [...logits, ...features.map(({ tensor }) => tensor as tf.Tensor2D)],
    scale === undefined ? loss : scaledLoss,
  );
  const dLogits = found.slice(0, logits.length);
  value.dispose();
  if (!options.labelledScale) labelledScale.dispose();

  const gradients = new Map<string, tf.Tensor>();
  const images = new Map<Role, tf.Tensor4D>();
  let from = 0;
  for (const { companion, roles, pass } of made) {
    const dFeatures = gradientsOfFeatures(features, found.slice(logits.length), roles);
    const fullName = (name: string) => (companion === '' ? name : `${companion}@${name}`);
    const pulled = pass.pullback(dLogits.slice(from, (from += roles.length)), {
      ...(dFeatures && { dFeatures }),
      ...(take && { take: (name, gradient) => take(fullName(name), gradient) }),
    });
    for (const [name, gradient] of pulled.parameters) gradients.set(fullName(name), gradient);
    pulled.images.forEach((gradient, at) => {
      if (objective.imageGradients?.includes(roles[at]!)) images.set(roles[at]!, gradient);
      else gradient.dispose();
    });
  }
  tf.dispose([...found.filter((gradient) => gradient !== null), ...features.map(({ tensor }) => tensor)]);

  const statistics = made.flatMap(({ roles, pass }) =>
    roles.map((role, at) => [role, keepStatistics(pass.statistics[at]!)] as const),
  );
  const kept = tf.tidy(() => [...logitsByRole(made, logits)].map(([role, z]) => [role, tf.keep(z.clone())] as const));
  free();
  const all = { values: values!, gradients, statistics: new Map(statistics), logits: new Map(kept), images };
  return objective.secondOrder?.length ? secondOrderGradients(all, { model, objective, batch, crafted }) : all;
}
