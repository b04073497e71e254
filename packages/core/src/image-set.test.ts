import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  allImages,
  checkImageSet,
  concatenated,
  countOf,
  hashImages,
  imagesAt,
  isLoaded,
  rangeOf,
  selected,
  subset,
  type ImageSet,
} from './image-set.js';

const shape = [1, 2, 1] as const;
const loaded: ImageSet = {
  images: Uint8Array.from({ length: 20 }, (_, i) => i),
  labels: Int32Array.from({ length: 10 }, (_, i) => i % 3),
  shape,
};
/** The same set, read by index; `reads` counts. */
const reading = () => {
  const reads: number[] = [];
  const set: ImageSet = {
    ...loaded,
    images: {
      count: 10,
      identity: 'the ten',
      read(index, target, at) {
        reads.push(index);
        target.set([2 * index, 2 * index + 1], at);
      },
    },
  };
  return { set, reads };
};

describe('a set that is read by index gives what the same set in memory gives', () => {
  it.each([
    ['the whole', (set: ImageSet) => set],
    ['a range', (set: ImageSet) => rangeOf(set, 2, 7)],
    ['a range of a range', (set: ImageSet) => rangeOf(rangeOf(set, 2), 1, 4)],
    ['a range that ends beyond', (set: ImageSet) => rangeOf(set, 8, 100)],
    ['a selection', (set: ImageSet) => selected(set, Int32Array.of(9, 0, 4))],
    ['a selection of a range', (set: ImageSet) => selected(rangeOf(set, 3), Int32Array.of(2, 0))],
    ['a subset', (set: ImageSet) => subset(set, [5, 5, 1])],
    ['two, one behind the other', (set: ImageSet) => concatenated([rangeOf(set, 7), loaded, rangeOf(set, 0, 2)])],
  ])('%s', (_, of) => {
    const [ours, theirs] = [of(reading().set), of(loaded)];
    expect(allImages(ours)).toEqual(allImages(theirs));
    expect(ours.labels).toEqual(theirs.labels);
    expect(checkImageSet(ours, { name: 'x', classes: 3 })).toBe(ours);
    expect(imagesAt(ours, [1, 0])).toEqual(imagesAt(theirs, [1, 0]));
  });

  it('and reads only what is asked for', () => {
    const { set, reads } = reading();
    const part = selected(rangeOf(set, 3, 9), Int32Array.of(5, 1));
    expect([isLoaded(part), countOf(part), reads]).toEqual([false, 2, []]);
    imagesAt(part, [0]);
    expect(reads).toEqual([8]);
  });

  it('and has a digest of its identity and of what was taken of it', () => {
    const digest = (set: ImageSet) => hashImages(createHash('sha256'), set).digest('hex');
    const { set } = reading();
    const all = [set, rangeOf(set, 1), rangeOf(set, 2), selected(set, Int32Array.of(1)), concatenated([set, loaded])];
    expect(new Set(all.map(digest)).size).toBe(all.length);
    expect(digest(set)).toBe(digest(reading().set));
  });

  it('and must have as many images as labels', () => {
    expect(() => checkImageSet({ ...reading().set, labels: new Int32Array(9) }, { name: 'x', classes: 3 })).toThrow(
      'x: 10 images do not make 9 images of 1x2x1',
    );
  });
});
