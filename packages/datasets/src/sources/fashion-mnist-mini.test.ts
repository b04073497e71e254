import { describe, expect, it } from '@jest/globals';
import { allImages, countOf, type ImageSet, type PluginServices } from '@bulwark/core';
import { fashionMnistMini } from './fashion-mnist-mini.js';

const open = (options: object = {}) =>
  fashionMnistMini.create(fashionMnistMini.options.parse(options), {} as PluginServices) as Awaited<
    ReturnType<typeof fashionMnistMini.create>
  >;

const perClass = (set: ImageSet) => {
  const counts = new Array<number>(10).fill(0);
  for (const label of set.labels) counts[label]!++;
  return counts;
};

describe('fashion-mnist-mini', () => {
  it('has balanced training, validation and test sets without any download', async () => {
    const source = await open();
    expect(perClass(source.train)).toEqual(new Array(10).fill(256));
    expect(perClass(source.validation!)).toEqual(new Array(10).fill(50));
    // any number of images from the front
    for (const count of [10, 100, 250]) {
      const { validation } = await open({ validation: count });
      expect(perClass(validation!)).toEqual(new Array(10).fill(count / 10));
    }
    expect(perClass(source.test)).toEqual(new Array(10).fill(100));
    expect(source.shape).toEqual([28, 28, 1]);
    expect(source.classNames[9]).toBe('Ankle boot');
    // the first training image of Fashion-MNIST is an ankle boot
    expect(source.train.labels[0]).toBe(9);
    expect(allImages(source.train).length).toBe(2560 * 784);
  });

  it('can be cut to its first examples', async () => {
    const source = await open({ limit: { train: 100, test: 20 }, validation: 0 });
    expect([countOf(source.train), source.validation, countOf(source.test)]).toEqual([100, undefined, 20]);
  });

  it('says so when checkpoints are chosen on the test set', async () => {
    const source = await open({ selectOn: 'test' });
    expect(source.validation).toBe(source.test);
    expect(source.notes!.join()).toContain('chosen on the test set');
  });
});
