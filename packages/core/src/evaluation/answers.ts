import * as tf from '../tensor/index.js';
import { logitsOf, type Classifier } from '../classifier/index.js';

/** What a model says of some images. */
export interface Answers {
  /** The class of each image: the one answered most often, of equally frequent ones the lowest. */
  readonly classes: Int32Array;
  /** `batch * classes` numbers of the first pass. */
  readonly logits: Float32Array;
  /** For each image a logit that is NaN or infinite, if there is one. */
  readonly notFinite: readonly (number | undefined)[];
}

/** The most frequent number of a list, the lowest of several. */
function majority(answers: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return [...counts].reduce((a, b) => (b[1] > a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a))[0];
}

/**
 * Asks a model in `eval` mode. One that answers differently each time is asked several times.
 * @param images `[batch, h, w, c]`
 * @param repeats passes, from 1
 */
export async function answersOf(model: Classifier, images: tf.Tensor4D, repeats = 1): Promise<Answers> {
  const passes: Int32Array[] = [];
  const count = images.shape[0];
  let first: Float32Array | undefined;
  const notFinite = new Array<number | undefined>(count).fill(undefined);
  for (let pass = 0; pass < repeats; pass++) {
    const { logits, classes } = tf.tidy(() => {
      const z = logitsOf(model, images);
      return { logits: z, classes: tf.argMax(z, 1) };
    });
    const [z, found] = (await Promise.all([logits.data(), classes.data()])) as [Float32Array, Int32Array];
    tf.dispose([logits, classes]);
    passes.push(found);
    first ??= z;
    const k = z.length / count;
    for (let i = 0; i < count; i++)
      notFinite[i] ??= z.subarray(i * k, (i + 1) * k).find((value) => !Number.isFinite(value));
  }
  const [once] = passes as [Int32Array];
  const classes = repeats === 1 ? once : once.map((_, i) => majority(passes.map((pass) => pass[i]!)));
  return { classes, logits: first!, notFinite };
}
