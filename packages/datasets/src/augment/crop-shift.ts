import { defineAugmentation, integer } from '@bulwark/core';
import { withDrawn } from '@bulwark/core/hooks';

/**
 * Cuts a random piece out of each image and puts it at a random place of a black one.
 * Draws for each image in order: how many rows and columns are lost together, how many of these are columns, then left, top of the piece and left, top
 * of its place.
 */
export const cropShift = defineAugmentation({
  name: 'crop-shift',
  summary: 'Cuts a random piece out of each image and puts it at a random place of a black one; part of IDBH.',
  cite: 'Li and Spratling, 2023, section 3.2; arXiv:2301.09879',
  options: { most: integer({ min: 0 }).default(10).describe('rows and columns that may be lost, together') },
  create: ({ most }) => ({
    apply(batch, random) {
      const [height, width, channels] = batch.shape;
      const size = height * width * channels;
      const count = batch.labels.length;
      const noted = {
        rows: new Int32Array(count),
        columns: new Int32Array(count),
        top: new Int32Array(count),
        left: new Int32Array(count),
      };
      for (let i = 0; i < count; i++) {
        const lost = random.integer(most + 1);
        const columns = Math.min(random.integer(lost + 1), width - 1);
        const rows = Math.min(lost - columns, height - 1);
        const [fromX, fromY] = [random.integer(columns + 1), random.integer(rows + 1)];
        const [toX, toY] = [random.integer(columns + 1), random.integer(rows + 1)];
        const image = batch.pixels.subarray(i * size, (i + 1) * size);
        const before = image.slice();
        image.fill(0);
        for (let y = 0; y < height - rows; y++) {
          const from = ((fromY + y) * width + fromX) * channels;
          image.set(before.subarray(from, from + (width - columns) * channels), ((toY + y) * width + toX) * channels);
        }
        noted.rows[i] = rows;
        noted.columns[i] = columns;
        noted.top[i] = toY - fromY;
        noted.left[i] = toX - fromX;
      }
      return withDrawn(batch, 'crop-shift', noted);
    },
  }),
});
