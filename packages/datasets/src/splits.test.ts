import { describe, expect, it } from '@jest/globals';
import { allImages, countOf, type ImageSet } from '@bulwark/core';
import { split, stratifiedHoldOut } from './splits.js';

/** `count` images of one pixel whose value is their number; class i % classes. */
const numbered = (count: number, classes: number): ImageSet => ({
  images: Uint8Array.from({ length: count }, (_, i) => i),
  labels: Int32Array.from({ length: count }, (_, i) => i % classes),
  shape: [1, 1, 1],
});

const defaults = { validation: 20, splitSeed: 0, selectOn: 'validation' as const, limit: {}, name: 'numbers' };
const tally = (labels: Int32Array, classes: number) =>
  Array.from({ length: classes }, (_, k) => labels.filter((label) => label === k).length);

describe('the validation split', () => {
  it('takes the same share of every class', () => {
    const { kept, held } = stratifiedHoldOut(numbered(200, 5).labels, { count: 20, seed: 1 });
    expect(
      tally(
        Int32Array.from(held, (i) => i % 5),
        5,
      ),
    ).toEqual([4, 4, 4, 4, 4]);
    expect([...kept, ...held].sort((a, b) => a - b)).toEqual([...Array(200).keys()]);
  });

  it('gives unequal classes their share by largest remainder', () => {
    const labels = Int32Array.from({ length: 100 }, (_, i) => (i < 75 ? 0 : i < 95 ? 1 : 2));
    const { held } = stratifiedHoldOut(labels, { count: 10, seed: 1 });
    expect(
      tally(
        Int32Array.from(held, (i) => labels[i]!),
        3,
      ),
    ).toEqual([8, 2, 0]);
  });

  it('depends on its seed only', () => {
    const { labels } = numbered(200, 5);
    const choose = (seed: number) => [...stratifiedHoldOut(labels, { count: 20, seed }).held];
    expect(choose(3)).toEqual(choose(3));
    expect(choose(3)).not.toEqual(choose(4));
  });

  it('leaves every image with its label and loses none', () => {
    const parts = split({ train: numbered(200, 5), test: numbered(10, 5) }, defaults);
    const all = [parts.train, parts.validation!];
    expect(all.map(countOf)).toEqual([180, 20]);
    for (const part of all) part.labels.forEach((label, i) => expect(label).toBe(allImages(part)[i]! % 5));
    expect(all.flatMap((part) => [...allImages(part)]).sort((a, b) => a - b)).toEqual([...Array(200).keys()]);
  });

  it('can be a share, or nothing', () => {
    const open = (validation: number) =>
      split({ train: numbered(200, 5), test: numbered(10, 5) }, { ...defaults, validation });
    expect(countOf(open(0.25).validation!)).toBe(50);
    expect(open(0).validation).toBeUndefined();
  });

  it('is the test set in the compatibility mode, and says so', () => {
    const parts = split({ train: numbered(200, 5), test: numbered(10, 5) }, { ...defaults, selectOn: 'test' });
    expect(parts.validation).toBe(parts.test);
    expect(countOf(parts.train)).toBe(200);
    expect(parts.notes!.join()).toContain('chosen on the test set');
  });

  it('takes the first images in file order before it holds any out', () => {
    const limited = { ...defaults, limit: { train: 50, test: 5 }, validation: 0 };
    const parts = split({ train: numbered(200, 5), test: numbered(10, 5) }, limited);
    expect([...allImages(parts.train)]).toEqual([...Array(50).keys()]);
    expect(countOf(parts.test)).toBe(5);
  });

  it('leaves out the first images, too', () => {
    const options = { ...defaults, limit: { skip: 30, train: 5 }, validation: 0 };
    const parts = split({ train: numbered(200, 5), test: numbered(10, 5) }, options);
    expect([...allImages(parts.train)]).toEqual([30, 31, 32, 33, 34]);
    expect(parts.notes!.join()).toContain('examples 31 to 35, that is 5 examples');
    const none = { ...defaults, limit: { skip: 200 } };
    expect(() => split({ train: numbered(200, 5), test: numbered(10, 5) }, none)).toThrow('all are left out by 200');
  });

  it('refuses to hold out everything', () => {
    const all = { train: numbered(20, 5), test: numbered(10, 5) };
    expect(() => split(all, defaults)).toThrow(
      'data.validation: 20 examples cannot be held out of the 20 training examples',
    );
  });
});
