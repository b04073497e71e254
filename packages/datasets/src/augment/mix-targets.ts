import { BulwarkError, type RawBatch, type Random } from '@bulwark/core';

/** The targets as rows: those the batch has already, else one-hot rows of its labels. */
function targetRows(batch: RawBatch, by: string): Float32Array {
  if (batch.targets) return batch.targets;
  const rows = new Float32Array(batch.labels.length * batch.classes);
  batch.labels.forEach((label, i) => {
    if (label < 0)
      throw new BulwarkError(
        'BATCH_INVALID',
        `${by}: example ${i} of the batch has no label, so its target cannot be mixed`,
        {
          hint: `give the unlabelled examples pseudo-labels, or leave ${by} out`,
        },
      );
    rows[i * batch.classes + label] = 1;
  });
  return rows;
}

/**
 * `share` of each example's target and 1 - share of its partner's. The label becomes the one with the larger part (the example's own
 * at one half), for what needs a single class, such as an attack.
 */
export function mixTargets(
  batch: RawBatch,
  options: { partner: Int32Array; share: number; by: string },
): { targets: Float32Array; labels: Int32Array } {
  const { partner, share, by } = options;
  const { classes } = batch;
  const own = targetRows(batch, by);
  const targets = new Float32Array(own.length);
  for (let i = 0; i < partner.length; i++)
    for (let k = 0; k < classes; k++)
      targets[i * classes + k] = share * own[i * classes + k]! + (1 - share) * own[partner[i]! * classes + k]!;
  const labels = batch.labels.map((label, i) => (share >= 0.5 ? label : batch.labels[partner[i]!]!));
  return { targets, labels };
}

/** What a batch that was mixed notes of each example: its partner, and the share that is its own. */
export const mixDraws = (batch: RawBatch, { partner, share }: { partner: Int32Array; share: number }) => ({
  partner: partner.map((at) => batch.indices?.[at] ?? at),
  weight: new Float32Array(partner.length).fill(share),
});

/** One standard normal number (Box-Muller, two draws). */
const normal = (random: Random) => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());

/** Gamma(shape, 1) after Marsaglia and Tsang (2000); below shape 1 by their boost, in logarithms so that small shapes do not underflow. */
function logGamma(random: Random, shape: number): number {
  if (shape < 1) return logGamma(random, shape + 1) + Math.log(1 - random.next()) / shape;
  const d = shape - 1 / 3;
  for (;;) {
    const x = normal(random);
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    const u = 1 - random.next();
    if (v > 0 && Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

/** A number from Beta(alpha, alpha). */
export function symmetricBeta(random: Random, alpha: number): number {
  const [a, b] = [logGamma(random, alpha), logGamma(random, alpha)];
  return 1 / (1 + Math.exp(b - a));
}
