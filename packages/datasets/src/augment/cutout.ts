import { defineAugmentation, integer, type RawBatch } from '@bulwark/core';
import { withDrawn } from '@bulwark/core/hooks';

/** Rows top..bottom and columns left..right, the ends excluded. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** A box of this height and width around a centre, clipped to the image: at the border it is smaller. */
export function boxAround(
  center: { y: number; x: number },
  extent: { height: number; width: number },
  [height, width]: RawBatch['shape'],
): Box {
  const [halfHeight, halfWidth] = [Math.floor(extent.height / 2), Math.floor(extent.width / 2)];
  return {
    top: Math.max(0, center.y - halfHeight),
    bottom: Math.min(height, center.y + halfHeight),
    left: Math.max(0, center.x - halfWidth),
    right: Math.min(width, center.x + halfWidth),
  };
}

/**
 * Sets a square to zero. Its centre is uniform over the image's pixels and the square is clipped at the border, as in the paper
 * and its code; `size` is rounded down to an even number there. Draws for each image in order, for each hole: row, then column of the centre.
 */
export const cutout = defineAugmentation({
  name: 'cutout',
  summary: 'Sets a random square of each image to zero.',
  cite: 'DeVries and Taylor, 2017; arXiv:1708.04552',
  options: {
    size: integer({ min: 1 }).default(16).describe('side of the square in pixels'),
    holes: integer({ min: 1 }).default(1).describe('squares for each image'),
  },
  create: ({ size, holes }) => ({
    drawsPerImage: 2 * holes,
    apply(batch, random) {
      const [height, width, channels] = batch.shape;
      const count = batch.labels.length;
      const centers = Array.from({ length: holes }, () => ({ y: new Int32Array(count), x: new Int32Array(count) }));
      for (let i = 0; i < count; i++)
        for (let hole = 0; hole < holes; hole++) {
          const center = { y: random.integer(height), x: random.integer(width) };
          const start = i * height * width * channels;
          centers[hole]!.y[i] = center.y;
          centers[hole]!.x[i] = center.x;
          const { top, bottom, left, right } = boxAround(center, { height: size, width: size }, batch.shape);
          for (let y = top; y < bottom; y++)
            batch.pixels.fill(0, start + (y * width + left) * channels, start + (y * width + right) * channels);
        }
      return centers.reduce((noted, draws) => withDrawn(noted, 'cutout', draws), batch);
    },
  }),
});
