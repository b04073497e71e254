import * as tf from '../tensor/index.js';
import { countOf, disposeBatch, takeExamples, type ImageSet } from '../batch.js';
import { straightThrough, type Classifier } from '../classifier/index.js';
import { trustFinding, type TrustFinding } from '../evaluation/index.js';
import { letOthersRun } from '../event-loop.js';
import { createRandom } from '../random.js';
import type { ThreatModel } from '../threat/index.js';
import { fixedStepAttack } from './fixed-step.js';
import { misclassified } from './judge.js';
import { spread } from './tiers.js';
import { take } from './gradient.js';

/** Shares of examples that chance may leave. */
const tolerated = 0.05;

/** Images that are attacked before signals have their turn: 50 steps of them all would block the thread for minutes. */
const atOnce = 16;

/** Whether preprocessing keeps the shape of images: only then does the identity stand for it. */
const sameShape = ({ preprocessed }: Classifier, images: tf.Tensor4D) =>
  tf.tidy(() => preprocessed!.by(images).shape.join() === images.shape.join());

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/**
 * Attacks a few images again in ways whose outcome is known for a model without gradient masking (Athalye et al., 2018, section 3;
 * Carlini et al., 2019, section 5; arXiv:1902.06705): accuracy falls to nothing in a ball that holds every image, and more steps do
 * not find less; gradients that pass the preprocessing as if it changed nothing (`straightThrough`) break no more than its own.
 */
export async function probeTrust(options: {
  model: Classifier;
  data: ImageSet;
  threat: ThreatModel;
  seed?: number;
  /** Images at most. */
  images?: number;
  /** Stops between two attacks on a few images, with its reason. */
  signal?: AbortSignal | undefined;
}): Promise<TrustFinding[]> {
  const { model, data, threat, seed = 0, images = 64, signal } = options;
  if (threat.epsilon === 0) return [];
  const batch = takeExamples(data, spread(countOf(data), images));
  const n = batch.labels.size;
  const accuracy = async (epsilon: number, steps: number, crafting: Classifier = model): Promise<number> => {
    const ball = { norm: threat.norm, epsilon };
    const context = { model: crafting, threat: ball, random: createRandom(seed, 'probe') };
    let right = 0;
    for (let from = 0; from < n; from += atOnce) {
      await letOthersRun();
      signal?.throwIfAborted();
      const few = tf.tidy(() => ({
        images: tf.slice(batch.images, from, Math.min(atOnce, n - from)),
        labels: tf.slice(batch.labels, from, Math.min(atOnce, n - from)),
      }));
      const points = fixedStepAttack(few, { loss: 'ce', start: 'random', steps, stepSize: epsilon / 4 }, context);
      const wrong = await take(tf.tidy(() => tf.cast(misclassified(model, points, few.labels), 'float32')));
      tf.dispose([points, few.images, few.labels]);
      right += wrong.filter((flag) => flag === 0).length;
    }
    return right / n;
  };
  try {
    const findings: TrustFinding[] = [];
    const [few, many] = [await accuracy(threat.epsilon, 10), await accuracy(threat.epsilon, 50)];
    if (many > few + tolerated)
      findings.push(
        trustFinding('more-steps-worse', `PGD-10 left ${percent(few)}, PGD-50 ${percent(many)} of ${n} images`),
      );
    const through = straightThrough(model);
    if (through && sameShape(model, batch.images)) {
      const left = await accuracy(threat.epsilon, 10, through);
      if (left < few - tolerated)
        findings.push(
          trustFinding(
            'preprocessing-masks',
            `PGD-10 left ${percent(few)}, PGD-10 through the preprocessing ${percent(left)} of ${n} images`,
          ),
        );
    }
    // a ball around any image that holds the grey image, which has one class only
    const everything = Math.max(0.5 * threat.norm.ofOnes(batch.images.size / n), threat.epsilon);
    const radii = [2 * threat.epsilon, 4 * threat.epsilon, everything];
    const left: number[] = [];
    for (const radius of radii) left.push(await accuracy(radius, 20));
    if (left.at(-1)! > tolerated)
      findings.push(
        trustFinding(
          'not-zero-at-large-epsilon',
          radii.map((radius, i) => `${percent(left[i]!)} at epsilon ${radius.toPrecision(3)}`).join(', '),
        ),
      );
    return findings;
  } finally {
    disposeBatch(batch);
  }
}
