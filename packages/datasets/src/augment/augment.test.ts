import { describe, expect, it } from '@jest/globals';
import { createRandom, type PluginServices, type Random, type RawBatch } from '@bulwark/core';
import { cutmix } from './cutmix.js';
import { cutout } from './cutout.js';
import { horizontalFlip } from './horizontal-flip.js';
import { symmetricBeta } from './mix-targets.js';
import { mixup } from './mixup.js';
import { randomCrop } from './random-crop.js';

const services = {} as PluginServices;
const make = {
  crop: (options: object) => randomCrop.create(randomCrop.options.parse(options), services),
  flip: (options: object) => horizontalFlip.create(horizontalFlip.options.parse(options), services),
  cutout: (options: object) => cutout.create(cutout.options.parse(options), services),
  mixup: (options: object) => mixup.create(mixup.options.parse(options), services),
  cutmix: (options: object) => cutmix.create(cutmix.options.parse(options), services),
};

/** A generator that gives these integers and numbers in order. */
function drawing(draws: { integers?: number[]; numbers?: number[] }): Random {
  const random = createRandom(1);
  const integers = [...(draws.integers ?? [])];
  const numbers = [...(draws.numbers ?? [])];
  return { ...random, integer: () => integers.shift()!, next: () => numbers.shift()! };
}

/** Images with the pixel values 1, 2, 3, ... */
const counting = (shape: RawBatch['shape'], labels: number[]): RawBatch => ({
  pixels: Float32Array.from({ length: labels.length * shape[0] * shape[1] * shape[2] }, (_, i) => i + 1),
  labels: Int32Array.from(labels),
  shape,
  classes: 3,
});

describe('random-crop', () => {
  it('shifts by the drawn offsets, top first, and fills with zero', () => {
    const batch = make.crop({ padding: 1 }).apply(counting([3, 3, 1], [0]), drawing({ integers: [0, 2] }));
    // one row down from above (top offset -1), one column from the right (left offset +1)
    expect([...batch.pixels]).toEqual([0, 0, 0, 2, 3, 0, 5, 6, 0]);
  });

  it('mirrors the border without repeating it', () => {
    const reflect = make.crop({ padding: 1, fill: 'reflect' });
    const batch = reflect.apply(counting([3, 3, 1], [0]), drawing({ integers: [0, 2] }));
    expect([...batch.pixels]).toEqual([5, 6, 5, 2, 3, 2, 5, 6, 5]);
  });

  it('leaves the image alone at the middle offset, with several images and channels', () => {
    const before = counting([2, 2, 3], [0, 1]);
    const batch = make.crop({ padding: 4 }).apply(counting([2, 2, 3], [0, 1]), drawing({ integers: [4, 4, 4, 4] }));
    expect(batch.pixels).toEqual(before.pixels);
  });
});

describe('horizontal-flip', () => {
  it('mirrors the images whose draw is below the probability, channels kept in order', () => {
    const batch = make.flip({}).apply(counting([1, 3, 2], [0, 1]), drawing({ numbers: [0.49, 0.5] }));
    expect([...batch.pixels]).toEqual([5, 6, 3, 4, 1, 2, 7, 8, 9, 10, 11, 12]);
  });
});

describe('cutout', () => {
  it('clips the square at the border', () => {
    const batch = make.cutout({ size: 2 }).apply(counting([3, 3, 1], [0]), drawing({ integers: [0, 2] }));
    expect([...batch.pixels]).toEqual([1, 0, 0, 4, 5, 6, 7, 8, 9].map((v, i) => (i === 1 || i === 2 ? 0 : v)));
  });
});

describe('mixup', () => {
  it('mixes pixels and targets with the same share, rows summing to one', () => {
    const before = counting([2, 2, 1], [0, 1, 2]);
    const batch = make.mixup({}).apply(counting([2, 2, 1], [0, 1, 2]), createRandom(3));
    const random = createRandom(3);
    const share = symmetricBeta(random, 1);
    const partner = random.permutation(3);
    for (let i = 0; i < 3; i++) {
      expect(batch.pixels[i * 4]).toBeCloseTo(
        share * before.pixels[i * 4]! + (1 - share) * before.pixels[partner[i]! * 4]!,
        5,
      );
      const row = batch.targets!.subarray(i * 3, i * 3 + 3);
      expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
      expect(row[batch.labels[i]!]).toBeGreaterThanOrEqual(0.5);
    }
  });

  it('refuses examples without a label', () => {
    expect(() => make.mixup({}).apply(counting([1, 1, 1], [0, -1]), createRandom(1))).toThrow(/example 1 .* no label/);
  });

  it('draws shares with the moments of the Beta distribution', () => {
    for (const alpha of [0.2, 1, 4]) {
      const random = createRandom(5, `beta ${alpha}`);
      const shares = Array.from({ length: 20000 }, () => symmetricBeta(random, alpha));
      const mean = shares.reduce((sum, v) => sum + v, 0) / shares.length;
      const variance = shares.reduce((sum, v) => sum + (v - mean) ** 2, 0) / shares.length;
      expect(mean).toBeCloseTo(0.5, 1);
      expect(Math.abs(variance / (1 / (4 * (2 * alpha + 1))) - 1)).toBeLessThan(0.05);
    }
  });
});

describe('cutmix', () => {
  it('gives the target the share of the area that was kept', () => {
    const before = counting([8, 8, 1], [0, 1, 2, 0]);
    for (let seed = 0; seed < 20; seed++) {
      const batch = make.cutmix({}).apply(counting([8, 8, 1], [0, 1, 2, 0]), createRandom(seed));
      for (let i = 0; i < 4; i++) {
        const own = batch.pixels.subarray(i * 64, i * 64 + 64).filter((v, j) => v === before.pixels[i * 64 + j]).length;
        if (own === 64) continue;
        const kept = batch.targets![i * 3 + before.labels[i]!]!;
        const others = batch.pixels.subarray(i * 64, i * 64 + 64).filter((v) => Math.ceil(v / 64) !== i + 1);
        const partner = before.labels[Math.ceil(others[0]! / 64) - 1]!;
        expect(kept).toBeCloseTo(partner === before.labels[i] ? 1 : own / 64, 6);
      }
    }
  });

  it('leaves the batch alone beyond its probability', () => {
    const batch = make.cutmix({ probability: 0 }).apply(counting([2, 2, 1], [0]), createRandom(1));
    expect(batch.targets).toBeUndefined();
  });
});

describe('augmentations', () => {
  it('give the same batch for the same generator state', () => {
    const all = [make.crop({}), make.flip({}), make.cutout({ size: 2 }), make.mixup({ alpha: 0.4 }), make.cutmix({})];
    const run = () => {
      const random = createRandom(11, 'augmentation');
      return all.reduce((batch, a) => a.apply(batch, random), counting([8, 8, 3], [0, 1, 2, 1]));
    };
    expect(run()).toEqual(run());
  });
});
