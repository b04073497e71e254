import * as tf from '../../tensor/index.js';
import type { AttackContext } from '../../hooks/index.js';
import { crossEntropy, dlr, margin, targetedDlr, targetedMargin } from '../../loss/index.js';
import { requireClasses, type LogitLoss } from '../attack-loss.js';
import { SurvivorPool } from '../survivors.js';
import { apgdDense } from './dense.js';
import { apgdL1 } from './l1.js';
import type { ApgdResult, ApgdRun } from './run.js';

export const apgdLossNames = ['ce', 'dlr', 'dlr-targeted', 'margin', 'margin-targeted'] as const;
export type ApgdLossName = (typeof apgdLossNames)[number];

/** The smallest number of classes that a loss is defined for. */
export const classesNeeded = (loss: ApgdLossName): number => ({ dlr: 3, 'dlr-targeted': 4 })[loss as 'dlr'] ?? 2;

/** How APGD runs. */
export interface ApgdOptions {
  readonly loss: ApgdLossName;
  readonly iterations: number;
  readonly restarts: number;
  /** Target classes of the targeted losses: the next most likely ones. */
  readonly targets: number;
  readonly rho: number;
  readonly eot: number;
  /** l1 only: first larger radii, 3 and 2 epsilon. */
  readonly largeRadii: boolean;
}

const runOnce = (run: ApgdRun): Promise<ApgdResult> => (run.context.threat.norm.sparse ? apgdL1(run) : apgdDense(run));

/** The l1 variant of section 3.4: radii 3, 2 and 1 epsilon with 30, 30 and 40 % of the iterations, each from the last best point. */
async function shrinkingRadii(run: ApgdRun): Promise<ApgdResult> {
  const { images, context, iterations } = run;
  const { norm, epsilon } = context.threat;
  const share = Math.ceil(0.3 * iterations);
  const phases = [
    { radius: 3 * epsilon, iterations: share },
    { radius: 2 * epsilon, iterations: share },
    { radius: epsilon, iterations: iterations - 2 * share },
  ];
  const noise = context.random.normal<tf.Rank.R4>(images.shape);
  let best: tf.Tensor4D = tf.add(images, noise);
  noise.dispose();
  let result: ApgdResult | undefined;
  for (const phase of phases) {
    result?.adversarial.dispose();
    const start = norm.project(best, { origin: images, epsilon: phase.radius });
    best.dispose();
    const threat = { norm, epsilon: phase.radius };
    result = await apgdL1({ ...run, start, iterations: phase.iterations, context: { ...context, threat } });
    best = result.best;
    start.dispose();
  }
  return result!;
}

/**
 * APGD on the examples that are still classified correctly: for each target rank (targeted) and restart, one run on the survivors;
 * an example leaves with its last misclassified point. Examples that survive come back as they were.
 * @param target images `[batch, h, w, c]` float32 in [0, 1]; labels `[batch]` int32
 */
export async function apgd(
  target: { images: tf.Tensor4D; labels: tf.Tensor1D },
  options: ApgdOptions,
  context: AttackContext,
): Promise<tf.Tensor4D> {
  const { loss, iterations, rho, eot, restarts, largeRadii } = options;
  const targeted = loss.endsWith('-targeted');
  requireClasses(context, classesNeeded(loss), `apgd with the ${loss} loss`);
  // the official code fails where there are fewer other classes than targets; here all of them are attacked
  const targets = Math.min(options.targets, context.model.classes - 1);
  const ranks = targeted ? Array.from({ length: targets }, (_, r) => r + 1) : [0];
  const pool = await SurvivorPool.of(target, context);
  const zero = new Float32Array(target.images.shape[0]);
  const runs = ranks.length * restarts;
  let done = 0;
  for (const rank of ranks)
    for (let restart = 0; restart < restarts && pool.survivors.length > 0; restart++) {
      const { images, labels, indices } = pool.batch();
      const targetClass = targeted ? pool.classAtRank(indices, rank) : undefined;
      const lossOf: Record<ApgdLossName, LogitLoss> = {
        ce: (logits) => crossEntropy(logits, labels),
        dlr: (logits) => dlr(logits, labels),
        'dlr-targeted': (logits) => targetedDlr(logits, labels, targetClass!),
        margin: (logits) => margin(logits, labels),
        'margin-targeted': (logits) => targetedMargin(logits, labels, targetClass!),
      };
      const progress = (share: number) => context.progress?.((done + share) / runs);
      const run: ApgdRun = {
        images,
        labels,
        context: { ...context, progress },
        loss: lossOf[loss],
        iterations,
        rho,
        eot,
      };
      const result = await (largeRadii && context.threat.norm.sparse ? shrinkingRadii(run) : runOnce(run));
      result.zeroGradient.forEach((flag, k) => (zero[indices[k]!] ||= flag));
      pool.settle(indices, result.robust, result.adversarial);
      tf.dispose([images, labels, result.best, result.adversarial, ...(targetClass ? [targetClass] : [])]);
      done++;
    }
  context.observe?.({ kind: 'zero-gradient', perExample: zero, note: loss });
  return pool.finish();
}
