import * as tf from '../tensor/index.js';
import type { Batch } from '../batch.js';
import { BulwarkError } from '../errors.js';
import type { Attack, AttackContext } from '../hooks/index.js';
import type { ThreatModel } from '../threat/index.js';
import { recheck, type Verdict } from './recheck.js';

/** What an attack did with a batch, and what is true of it. */
export interface Judgement {
  /** `[batch, h, w, c]` float32 as the attack returned them; the caller disposes. */
  readonly candidates: tf.Tensor4D;
  /** One for each image, in order. */
  readonly verdicts: readonly Verdict[];
  /** Of attack and recheck. */
  readonly seconds: number;
}

/** Whether a candidate breaks its image: misclassified, and within the rules. */
export const breaks = ({ misclassified, inside, violation }: Verdict): boolean =>
  misclassified && inside && violation === undefined;

/** @throws BulwarkError ATTACK_INVALID if the attack, or a stage of it, is not one in the norm of the threat model */
export function checkNorm(attack: Attack, { norm }: ThreatModel): void {
  for (const { label, norms } of [attack, ...(attack.stages ?? [])])
    if (norms && !norms.includes(norm.name))
      throw new BulwarkError(
        'ATTACK_INVALID',
        `attack ${label} is one in ${norms.join(' and ')}, not in ${norm.name}`,
        {
          hint: `attack in ${norms.join(' or ')}, or with another attack: apgd, fab and fmn work in every norm`,
        },
      );
}

/** An error that says whose it is: attacks are often plugins, and nobody should look for their faults in the evaluator. */
const faultOf = ({ label }: Attack, what: string, { hint, cause }: { hint: string; cause?: unknown }) =>
  new BulwarkError('ATTACK_INVALID', `attack ${label} ${what}`, {
    hint: `this is a fault of the attack: ${hint}`,
    cause,
  });

/** What came back instead of candidates, in words; undefined if its form is right. */
function wrongForm(found: unknown, { images }: Batch): string | undefined {
  if (!(found instanceof tf.Tensor))
    return `a value of type ${found === null ? 'null' : Array.isArray(found) ? 'array' : typeof found}`;
  if (found.isDisposed) return 'a tensor that is disposed already';
  if (found.dtype !== 'float32') return `a tensor of ${found.dtype}`;
  return found.shape.join() === images.shape.join() ? undefined : `candidates of shape [${found.shape.join(', ')}]`;
}

/** Candidates of the right form, in a tensor of their own. */
async function runAttack(attack: Attack, batch: Batch, context: AttackContext): Promise<tf.Tensor4D> {
  const { images, labels } = batch;
  let found: unknown;
  try {
    found = await attack.run(images, labels, context);
  } catch (cause) {
    // what is said in plain words already, and whoever stopped the evaluation, need no culprit
    if (cause instanceof BulwarkError || (cause as Error | undefined)?.name === 'AbortError') throw cause;
    const { message = String(cause) } = (cause ?? {}) as Partial<Error>;
    throw faultOf(attack, `failed: ${message}`, { hint: '--debug shows where in its code', cause });
  }
  if (images.isDisposed || labels.isDisposed)
    throw faultOf(attack, `disposed the ${images.isDisposed ? 'images' : 'labels'} that it was given`, {
      hint: 'it owns only what it makes',
    });
  const wrong = wrongForm(found, batch);
  if (wrong !== undefined) {
    if (found instanceof tf.Tensor) found.dispose();
    throw faultOf(attack, `returned ${wrong}; expected a float32 tensor of shape [${images.shape.join(', ')}]`, {
      hint: 'return one candidate per image, in order (from a tidy, if it has one)',
    });
  }
  return found === images ? images.clone() : (found as tf.Tensor4D);
}

/**
 * Runs an attack on a batch and judges every candidate without trusting it: inside the ball, inside [0, 1], finite, truly misclassified.
 * Whoever wants to know what an attack achieves asks here: evaluation, validation, the cascade of an ensemble, benchmarks.
 * @param context.repeats passes by which a candidate is judged: the most frequent answer counts; default 1
 * @throws BulwarkError ATTACK_INVALID, naming the attack, if it is not one in this norm, throws, disposes what it was given, or returns something else than one
 *   candidate per image
 */
export async function judge(
  attack: Attack,
  batch: Batch,
  context: AttackContext & { readonly repeats?: number },
): Promise<Judgement> {
  const from = performance.now();
  checkNorm(attack, context.threat);
  const candidates = await runAttack(attack, batch, context);
  const { model, threat, repeats } = context;
  const verdicts = await recheck(model, batch, { candidates, threat, anywhere: attack.minimumNorm, repeats });
  return { candidates, verdicts, seconds: (performance.now() - from) / 1000 };
}
