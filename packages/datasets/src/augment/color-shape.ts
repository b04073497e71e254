import { defineAugmentation, type Random } from '@bulwark/core';
import { withDrawn } from '@bulwark/core/hooks';
import { z } from 'zod';
import {
  autocontrast,
  brightness,
  contrast,
  equalize,
  moved,
  saturation,
  sharpness,
  type Image,
} from './image-changes.js';

/** A change with the range that its strength is drawn from; the order of these is what `drawn` counts. */
const changes: readonly {
  readonly change: (image: Image, strength: number, random: Random) => void;
  readonly range?: readonly [number, number];
}[] = [
  { change: saturation, range: [0.1, 1.9] },
  { change: brightness, range: [0.5, 1.9] },
  { change: contrast, range: [0.5, 1.9] },
  { change: sharpness, range: [0.1, 1.9] },
  { change: autocontrast },
  { change: equalize },
];

const sign = (random: Random) => (random.integer(2) === 1 ? -1 : 1);

/** Either axis. `strength` is the angle in radians, as in the authors' code. */
function shear(image: Image, strength: number, random: Random): void {
  const slope = Math.tan(sign(random) * strength);
  moved(image, random.integer(2) === 1 ? [1, slope, 0, 1] : [1, 0, slope, 1]);
}

function rotate(image: Image, degrees: number, random: Random): void {
  const angle = (sign(random) * degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  moved(image, [cos, sin, -sin, cos]);
}

/** Chances of the changes above, then of shearing and of rotating, with what these two may be. */
const biases = {
  color: { chances: [0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125], shear: 0.15, degrees: 10 },
  shape: { chances: [0.08, 0.08, 0.04, 0.08, 0.04, 0.08, 0.3, 0.3], shear: 0.35, degrees: 30 },
} as const;

/**
 * One change of colour or shape for each image.
 * Draws for each image in order: which change; its strength, where it has one (for rotations an integer of degrees from 1); for shearing and rotating the
 * sign, for shearing the axis.
 */
export const colorShape = defineAugmentation({
  name: 'color-shape',
  summary: 'Changes colour or shape of each image: one change of eight, with a random strength; part of IDBH.',
  cite: 'Li and Spratling, 2023, section 3.3; arXiv:2301.09879',
  options: {
    bias: z
      .enum(['color', 'shape'])
      .default('color')
      .describe('color: all changes equally often, shape: mostly strong shears and rotations'),
  },
  create: ({ bias }) => ({
    apply(batch, random) {
      const [height, width, channels] = batch.shape;
      const size = height * width * channels;
      const { chances, shear: most, degrees } = biases[bias];
      const change = new Int32Array(batch.labels.length);
      for (let i = 0; i < change.length; i++) {
        const image = { pixels: batch.pixels.subarray(i * size, (i + 1) * size), height, width, channels };
        let left = random.next();
        const found = chances.findIndex((chance) => (left -= chance) < 0);
        const at = found < 0 ? chances.length - 1 : found;
        change[i] = at;
        const between = ([low, high]: readonly [number, number]) => low + (high - low) * random.next();
        if (at === 6) shear(image, between([0.05, most]), random);
        else if (at === 7) rotate(image, 1 + random.integer(degrees), random);
        else changes[at]!.change(image, changes[at]!.range ? between(changes[at]!.range) : 1, random);
      }
      return withDrawn(batch, 'color-shape', { change });
    },
  }),
});
