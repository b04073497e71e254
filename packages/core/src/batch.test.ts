import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { checkBatch, checkImageSet, subset, takeExamples, type ImageSet } from './batch.js';
import { useEngine } from './engine/index.js';

beforeAll(async () => void (await useEngine('cpu')));

const set: ImageSet = {
  images: Uint8Array.from([0, 51, 102, 255]),
  labels: Int32Array.from([0, 1, -1, 2]),
  shape: [1, 1, 1],
};

describe('image sets', () => {
  it('become float32 images in [0, 1], in the order asked for', () => {
    const { images, labels } = takeExamples(set, [3, 1]);
    expect([...images.dataSync()]).toEqual([1, Math.fround(0.2)]);
    expect([...labels.dataSync()]).toEqual([2, 1]);
  });

  it('can be cut without tensors', () => {
    expect(subset(set, [2, 0])).toEqual({
      images: Uint8Array.from([102, 0]),
      labels: Int32Array.from([-1, 0]),
      shape: [1, 1, 1],
    });
  });

  it('are refused with a label outside the classes, or bytes that do not fit', () => {
    expect(() => checkImageSet(set, { name: 'toy', classes: 2 })).toThrow('label 2 of example 3 is outside [0, 2)');
    expect(() => checkImageSet({ ...set, images: new Uint8Array(3) }, { name: 'toy', classes: 3 })).toThrow(
      '3 bytes do not make 4 images',
    );
  });
});

describe('checkBatch', () => {
  const where = { name: 'images', shape: [1, 1, 1] as const, classes: 3 };
  const batch = (values: number[], labels: number[]) => ({
    images: tf.tensor4d(values, [values.length, 1, 1, 1]),
    labels: tf.tensor1d(labels, 'int32'),
  });

  it('accepts images in [0, 1] with labels of the classes or none', () => {
    expect(() => checkBatch(batch([0, 1], [2, -1]), where)).not.toThrow();
  });

  it.each([
    ['pixels above 1', [0, 1.5], [0, 1], 'pixel values range from 0 to 1.5'],
    ['pixels that are not numbers', [0, NaN], [0, 1], 'allowed is [0, 1]'],
    ['a label that is no class', [0, 1], [0, 3], 'label 3 is outside [0, 3)'],
    ['labels of another count', [0, 1], [0], 'labels have shape [1]; expected [2]'],
  ])('refuses %s', (_, values, labels, message) => {
    expect(() => checkBatch(batch(values, labels), where)).toThrow(message);
  });
});
