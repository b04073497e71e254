import * as tf from '../tensor/index.js';
import type { Batch } from '../batch.js';
import type { Logits, Role, Views } from '../hooks/index.js';
import { oneHotLabels } from '../loss/index.js';
import { createRandom } from '../random.js';
import { ContractBroken, numbers, promise, promiseTensor, scratch } from './contract.js';
import { classes, fixtureBatch } from './fixture.js';

/** Something that gives a value per example from logits: a term of an objective, a regularizer, a classification term. */
export interface PerExample {
  readonly what: string;
  readonly needs: readonly Role[];
  values(views: Views): tf.Tensor1D;
}

/** Step of the finite differences; float32 logits of order 1 lose about 1e-5 of the quotient to rounding. */
const h = 1 / 128;
const tolerance = 5e-3;

/** Random logits `[batch, classes]` for a role, of the size that a small network gives. */
const randomLogits = (role: Role, count: number): tf.Tensor2D =>
  tf.mul(1.5, createRandom(13, `logits/${role}`).normal<tf.Rank.R2>([count, classes]));

/** Views over given logits that hold the term to the roles that it names. */
function strictViews(
  term: PerExample,
  given: { batch: Batch; logits: ReadonlyMap<Role, tf.Tensor2D>; facts: Readonly<Record<string, tf.Tensor>> },
): Views {
  return {
    batch: given.batch,
    classes,
    y: given.batch.targets ?? oneHotLabels(given.batch.labels, classes),
    epoch: 0,
    epochs: 2,
    progress: 0,
    z: new Proxy({} as Logits, {
      get(_, role) {
        promise(
          term.needs.includes(String(role)),
          () => `${term.what} reads the ${String(role)} logits, and did not when it was composed`,
        );
        return given.logits.get(String(role))!;
      },
    }),
    // small maps that have something of the role and the layer in them, constant: the kit differentiates by logits
    features: (role, layer) => createRandom(13, `features/${role}/${layer}`).normal([given.batch.labels.size, 4, 4, 6]),
    fact(name) {
      const fact = given.facts[name];
      if (!fact)
        throw new ContractBroken(`${term.what} reads the fact ${name}, which the inner optimizer does not give`);
      return fact;
    },
  };
}

/** What an augmentation, or label smoothing, may make of labels. */
export type TargetForm = 'mixed' | 'smoothed';

/** The batch with target rows beside its labels, which stay what they are: 0.6 of each label and 0.4 of another, or 0.9 and 0.1 / classes. */
export function withTargets(batch: Batch, form: TargetForm | undefined): Batch {
  if (!form) return batch;
  const targets = tf.tidy(() => {
    const own = oneHotLabels(batch.labels, classes);
    const others = form === 'mixed' ? tf.reverse(own, 0) : tf.fill(own.shape, 1 / classes);
    const share = form === 'mixed' ? 0.6 : 0.9;
    const labelled = tf.expandDims(tf.cast(tf.greaterEqual(batch.labels, 0), 'float32'), 1);
    return tf.mul(labelled, tf.add(tf.mul(share, own), tf.mul(1 - share, others))) as tf.Tensor2D;
  });
  return { ...batch, targets };
}

/** What a term is tried on. */
export interface TermSetting {
  readonly labels?: readonly number[];
  /** Facts of the inner optimizer; the caller keeps them. */
  readonly facts?: Readonly<Record<string, tf.Tensor>>;
  /** What an augmentation may make of the labels: rows mixed with those of other examples, or spread over the classes. */
  readonly targets?: TargetForm;
  /** Same logits for every role. */
  readonly equalLogits?: boolean;
  /** Factor on the logits. */
  readonly scale?: number;
}

/** Calls `use` with a function from logits to values; everything made inside is disposed. */
function onLogits<T>(
  term: PerExample,
  setting: TermSetting,
  use: (parts: {
    logits: Map<Role, tf.Tensor2D>;
    batch: Batch;
    values: (logits: ReadonlyMap<Role, tf.Tensor2D>) => tf.Tensor1D;
  }) => T,
): T {
  return scratch(() => {
    const batch = withTargets(fixtureBatch(setting.labels), setting.targets);
    const roles = [...new Set(term.needs)];
    const logits = new Map(
      roles.map((role) => [
        role,
        tf.mul(
          setting.scale ?? 1,
          randomLogits(setting.equalLogits ? 'natural' : role, batch.labels.size),
        ) as tf.Tensor2D,
      ]),
    );
    const values = (at: ReadonlyMap<Role, tf.Tensor2D>) =>
      term.values(strictViews(term, { batch, logits: at, facts: setting.facts ?? {} }));
    return use({ logits, batch, values });
  });
}

/** Values per example as numbers, checked for shape, type and finiteness. */
export function checkedValues(term: PerExample, setting: TermSetting = {}): number[] {
  return onLogits(term, setting, ({ logits, batch, values }) => {
    const found = values(logits);
    promiseTensor(found, { what: term.what, shape: [batch.labels.size] });
    return numbers(found);
  });
}

/**
 * The gradient with respect to the logits of each role against central finite differences along random directions, examples weighted
 * at random so that a mix-up of examples shows.
 */
export function promiseGradient(term: PerExample, setting: TermSetting = {}): void {
  onLogits(term, setting, ({ logits, batch, values }) => {
    const roles = [...logits.keys()];
    const count = batch.labels.size;
    const weights = createRandom(17, 'weights').uniform<tf.Rank.R1>([count], 0.5, 1.5);
    const weighted = (at: ReadonlyMap<Role, tf.Tensor2D>) => tf.sum(tf.mul(weights, values(at))) as tf.Scalar;
    const gradients = tf.grads((...zs) => weighted(new Map(roles.map((role, i) => [role, zs[i] as tf.Tensor2D]))))(
      roles.map((role) => logits.get(role)!),
    );
    for (const [i, role] of roles.entries()) {
      promiseTensor(gradients[i]!, {
        what: `the gradient of ${term.what} at the ${role} logits`,
        shape: [count, classes],
      });
      for (let trial = 0; trial < 3; trial++) {
        const direction = createRandom(19, `direction/${role}/${trial}`).normal<tf.Rank.R2>([count, classes]);
        const moved = (by: number) =>
          numbers(
            weighted(new Map([...logits, [role, tf.add(logits.get(role)!, tf.mul(by, direction)) as tf.Tensor2D]])),
          )[0]!;
        const expected = (moved(h) - moved(-h)) / (2 * h);
        const found = numbers(tf.sum(tf.mul(gradients[i]!, direction)))[0]!;
        promise(
          Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected)),
          () =>
            `the gradient of ${term.what} at the ${role} logits is ${found} along a direction; finite differences give ${expected}`,
        );
      }
    }
  });
}

/** A term that depends on labels sees what an augmentation made of the labels: with other target rows and the same labels it is another number. */
export function promiseReadsTargets(term: PerExample, setting: TermSetting = {}): void {
  const labels = [0, 1, 2, 3, 4, 1];
  const plain = checkedValues(term, { ...setting, labels });
  const other = checkedValues(term, { ...setting, labels: [1, 2, 3, 4, 0, 2] });
  if (other.every((value, i) => value === plain[i])) return; // labels do not enter at all
  for (const targets of ['mixed', 'smoothed'] as const) {
    const found = checkedValues(term, { ...setting, labels, targets });
    promise(
      found.some((value, i) => Math.abs(value - plain[i]!) > 1e-4),
      () =>
        `${term.what} is the same for ${targets} targets as for plain labels: read \`y\` of the views, not batch.labels`,
    );
  }
}

/** Zero exactly where there is no label. */
export function promiseZeroWithoutLabel(term: PerExample, setting: TermSetting = {}): void {
  const labels = [0, -1, 2, -1, 4, 0];
  const values = checkedValues(term, { ...setting, labels });
  labels.forEach((label, i) =>
    promise(
      label >= 0 || values[i] === 0,
      () => `${term.what} is ${values[i]} at an example without a label; it must be 0`,
    ),
  );
}
