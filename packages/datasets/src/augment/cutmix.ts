import { defineAugmentation, number, type RawBatch } from '@bulwark/core';
import { withDrawn } from '@bulwark/core/hooks';
import { boxAround } from './cutout.js';
import { mixDraws, mixTargets, symmetricBeta } from './mix-targets.js';

/**
 * Pastes a box of each partner into each image, in place, and mixes the targets by the area that the border left.
 * @param draw.share of the area that images keep, in [0, 1]
 */
export function pasteBox(
  batch: RawBatch,
  draw: { share: number; partner: Int32Array; center: { y: number; x: number } },
): RawBatch {
  const [height, width, channels] = batch.shape;
  const { partner, center } = draw;
  const cut = Math.sqrt(1 - draw.share);
  const extent = { height: Math.floor(height * cut), width: Math.floor(width * cut) };
  const { top, bottom, left, right } = boxAround(center, extent, batch.shape);
  const original = batch.pixels.slice();
  const size = height * width * channels;
  for (let i = 0; i < partner.length; i++)
    for (let y = top; y < bottom; y++) {
      const from = partner[i]! * size + (y * width + left) * channels;
      const piece = original.subarray(from, from + (right - left) * channels);
      batch.pixels.set(piece, i * size + (y * width + left) * channels);
    }
  const share = 1 - ((bottom - top) * (right - left)) / (height * width);
  const everywhere = (value: number) => new Int32Array(partner.length).fill(value);
  const box = { top: everywhere(top), bottom: everywhere(bottom), left: everywhere(left), right: everywhere(right) };
  const mixed = { ...batch, ...mixTargets(batch, { partner, share, by: 'cutmix' }) };
  return withDrawn(mixed, 'cutmix', { ...mixDraws(batch, { partner, share }), ...box });
}

/**
 * Pastes a box of another image of the batch; targets are mixed by area (Eq. 1 and 2). One box for the batch, its share of the
 * area corrected for what the border cuts off, as in the authors' code.
 * Draws: one number for `probability`; if the batch is mixed, then the share from Beta(alpha, alpha), a permutation, row and column of the centre.
 */
export const cutmix = defineAugmentation({
  name: 'cutmix',
  summary: 'Pastes a box of another image of the batch into each image and mixes the targets by area.',
  cite: 'Yun et al., 2019, Eq. 1 and 2; arXiv:1905.04899',
  options: {
    alpha: number({ above: 0 }).default(1).describe('of Beta(alpha, alpha), from which the share is drawn'),
    probability: number({ min: 0, max: 1 }).default(1).describe('of mixing a batch'),
  },
  create: ({ alpha, probability }) => ({
    apply(batch, random) {
      if (random.next() >= probability) return batch;
      const share = symmetricBeta(random, alpha);
      const partner = random.permutation(batch.labels.length);
      const center = { y: random.integer(batch.shape[0]), x: random.integer(batch.shape[1]) };
      return pasteBox(batch, { share, partner, center });
    },
  }),
});
