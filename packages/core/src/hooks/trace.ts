import * as tf from '../tensor/index.js';
import type { ImageShape } from '../batch.js';
import { BulwarkError } from '../errors.js';
import { oneHotLabels } from '../loss/index.js';
import type { Role } from './inner-optimizer.js';
import type { Feature } from './objective.js';
import { viewsWith, type Logits, type Views } from './views.js';

/** What a term reads. */
export interface Reads {
  /** Roles of the logits, in the order in which they are read first. */
  readonly roles: readonly Role[];
  /** Layers that it looks at. */
  readonly features: readonly Feature[];
  /** Whether it compares with `y`. */
  readonly y: boolean;
}

/** Number of examples and of steps that stand for a run while a term is traced. */
const count = 2;
const epochs = 1000;

/** What a finding of the attack may look like, of which nothing else is known before an attack was made: the first that a term takes. */
const findings = (classes: number): (() => tf.Tensor)[] => [
  () => tf.scalar(0),
  () => tf.zeros([count, classes]),
  () => tf.zeros([count], 'int32'),
  () => tf.zeros([count]),
];

/** The same of features of a network that is not known yet: maps, or one number per channel. */
const featureShapes = [
  [count, 2, 2, 3],
  [count, 3],
];

const featureKey = ({ role, layer }: Feature) => `${role} ${layer}`;

/** @throws BulwarkError OBJECTIVE_INVALID, if values are not one per example */
function checkValues(values: unknown): void {
  const { shape: found } = (values ?? {}) as Partial<tf.Tensor>;
  const shape = found ? `[${found.join(', ')}]` : typeof values;
  if (shape === `[${count}]`) return;
  throw new BulwarkError(
    'OBJECTIVE_INVALID',
    `its values have the form ${shape} where there are ${count} examples; expected [${count}]`,
    { hint: 'return one value per example, [batch]; the mean over them is taken for you' },
  );
}

/**
 * Calls a term on two made-up examples, at the start and at the end of a run, and notes what it reads.
 * @throws what it throws, and OBJECTIVE_INVALID for values of another shape, unless that may come of a finding of the attack or of a feature that it reads
 */
export function readsOf(
  { weight, values }: { readonly weight: number | ((views: Views) => unknown); values(views: Views): unknown },
  of: { classes: number; inputShape: ImageShape },
): Reads {
  const roles = new Set<Role>();
  const features = new Map<string, Feature>();
  let [y, finding] = [false, false];
  const attempt = ({ make, shape }: Attempt, epoch: number) => {
    const batch = {
      images: tf.zeros<tf.Rank.R4>([count, ...of.inputShape]),
      labels: tf.tensor1d([0, of.classes - 1], 'int32'),
      indices: Int32Array.of(0, 1),
    };
    const views: Views = {
      ...{ batch, classes: of.classes, epoch, epochs, progress: epoch / epochs },
      get y() {
        y = true;
        return oneHotLabels(batch.labels, of.classes);
      },
      z: new Proxy({} as Logits, {
        get(_, role) {
          roles.add(String(role));
          return tf.zeros([count, of.classes]);
        },
      }),
      features(role, layer) {
        roles.add(role);
        features.set(featureKey({ role, layer }), { role, layer });
        return tf.zeros(shape);
      },
      fact() {
        finding = true;
        return make();
      },
    };
    if (typeof weight === 'function') weight(views);
    const found = values(views);
    if (!finding && features.size === 0) checkValues(found);
  };
  for (const epoch of [0, epochs - 1]) {
    let refused: unknown;
    for (const each of attempts(of.classes)) {
      try {
        tf.tidy(() => void attempt(each, epoch));
        refused = undefined;
        break;
      } catch (error) {
        if (!(finding || features.size > 0) || error instanceof BulwarkError) throw error;
        refused ??= error;
      }
    }
    if (refused !== undefined) break; // what it has read until then; the views of a step hold it to that
  }
  return { roles: [...roles], features: [...features.values()], y };
}

interface Attempt {
  readonly make: () => tf.Tensor;
  readonly shape: number[];
}

const attempts = (classes: number): Attempt[] =>
  featureShapes.flatMap((shape) => findings(classes).map((make) => ({ make, shape })));

/** Views that hold a term to what it was seen to read. @throws BulwarkError ROLE_MISSING */
export function heldTo(reads: Reads, views: Views, what: string): Views {
  const refuse = (read: string): never => {
    throw new BulwarkError('ROLE_MISSING', `${what} reads ${read} in this step, and did not when it was composed`, {
      hint: 'read it always, whatever is made of it; or name it: reads: [...]',
    });
  };
  return viewsWith(views, {
    get y() {
      return reads.y ? views.y : refuse('y');
    },
    features: (role, layer) =>
      reads.features.some((known) => featureKey(known) === featureKey({ role, layer }))
        ? views.features(role, layer)
        : refuse(`features of ${role} at ${layer}`),
    z: new Proxy(views.z, {
      get: (z, role) => (reads.roles.includes(String(role)) ? z[String(role)] : refuse(`z.${String(role)}`)),
    }),
  });
}
