import { describe, expect, it } from '@jest/globals';
import { createRandom, type PluginServices, type Random, type RawBatch } from '@bulwark/core';
import { colorShape } from './color-shape.js';
import { cropShift } from './crop-shift.js';
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
import { randomErasing } from './random-erasing.js';

const services = {} as PluginServices;
const batchOf = (pixels: number[], shape: RawBatch['shape'], count = 1): RawBatch => ({
  pixels: Float32Array.from(pixels),
  labels: new Int32Array(count),
  shape,
  classes: 2,
});
const drawing = (integers: number[], numbers: number[] = []): Random => ({
  ...createRandom(1),
  integer: () => integers.shift()!,
  next: () => numbers.shift()!,
});
const image = (pixels: number[], height: number, width: number, channels = 1): Image => ({
  pixels: Float32Array.from(pixels),
  ...{ height, width, channels },
});
const close = (found: Float32Array, wanted: number[]) =>
  wanted.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 5));

it('crop-shift puts the piece where it was drawn, on black', () => {
  const { pixels, drawn } = cropShift.create({ most: 2 }, services).apply(
    batchOf([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3, 1]),
    // two are lost, one of them a column; from left 1, top 0; to left 0, top 1
    drawing([2, 1, 1, 0, 0, 1]),
  );
  expect([...pixels]).toEqual([0, 0, 0, 2, 3, 0, 5, 6, 0]);
  expect(drawn!['crop-shift']).toMatchObject({ top: Int32Array.of(1), left: Int32Array.of(-1) });
});

it('random-erasing sets a box of the drawn area and sides to zero, and leaves images beyond its probability', () => {
  const options = randomErasing.options.parse({ probability: 0.5, least: 0.25, most: 0.5 }) as never;
  const erase = (random: Random) =>
    randomErasing.create(options, services).apply(batchOf(new Array(16).fill(1), [4, 4, 1]), random);
  // area 4 of 16, ratio 1: a square of two; top 1, left 2
  const { pixels, drawn } = erase(drawing([1, 2], [0.4, 0, 0.5]));
  expect([...pixels]).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1]);
  expect(drawn!['random-erasing']!['area']).toEqual(Float32Array.of(0.25));
  expect([...erase(drawing([], [0.6])).pixels]).toEqual(new Array(16).fill(1));
});

describe('changes of an image', () => {
  it('blend with black, grey, the mean and the smoothed image', () => {
    const grey = image([0.2, 0.4, 0.6, 0.8], 2, 2);
    brightness(grey, 0.5);
    close(grey.pixels, [0.1, 0.2, 0.3, 0.4]);
    contrast(grey, 2);
    close(grey.pixels, [0, 0.15, 0.35, 0.55]);
    const colour = image([1, 0, 0], 1, 1, 3);
    saturation(colour, 0);
    close(colour.pixels, [0.2989, 0.2989, 0.2989]);
    const spot = image([0, 0, 0, 0, 1, 0, 0, 0, 0], 3, 3);
    sharpness(spot, 0);
    close(spot.pixels, [0, 0, 0, 0, 5 / 13, 0, 0, 0, 0]);
  });

  it('stretch and level the histogram', () => {
    const narrow = image([0.25, 0.5, 0.75, 0.5], 2, 2);
    autocontrast(narrow);
    close(narrow.pixels, [0, 0.5, 1, 0.5]);
    const flat = image([0.3, 0.3], 1, 2);
    autocontrast(flat);
    close(flat.pixels, [0.3, 0.3]);
    const dark = image(
      Array.from({ length: 1024 }, (_, i) => (i % 4) / 255),
      32,
      32,
    );
    equalize(dark);
    // 256 of each level, step 3 of the 768 below the last: 1 / 3, 257 / 3, 513 / 3, 769 / 3 cut at 255
    close(dark.pixels, [0, 85 / 255, 171 / 255, 1]);
  });

  it('turn by right angles and shear whole pixels as one can count', () => {
    const square = image([1, 2, 3, 4, 5, 6, 7, 8, 9], 3, 3);
    moved(square, [0, 1, -1, 0]);
    expect([...square.pixels]).toEqual([7, 4, 1, 8, 5, 2, 9, 6, 3]);
    const sheared = image([1, 2, 3, 4, 5, 6, 7, 8, 9], 3, 3);
    moved(sheared, [1, 1, 0, 1]);
    expect([...sheared.pixels]).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 0]);
  });
});

it.each(['color', 'shape'] as const)(
  'color-shape of bias %s keeps the range and notes what it did, about as often as the authors',
  (bias) => {
    const random = createRandom(3);
    const count = 2000;
    const pixels = Array.from({ length: count * 12 }, () => random.next());
    const found = colorShape.create({ bias }, services).apply(batchOf(pixels, [2, 2, 3], count), random);
    expect(found.pixels.every((pixel) => pixel >= 0 && pixel <= 1)).toBe(true);
    const rotations = found.drawn!['color-shape']!['change']!.filter((change) => change === 7).length / count;
    expect(Math.abs(rotations - { color: 0.125, shape: 0.3 }[bias])).toBeLessThan(0.03);
  },
);
