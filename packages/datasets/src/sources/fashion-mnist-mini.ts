import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkImageSet, defineDataSource, integer, subset, type ImageSet } from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import { fashionMnistClasses } from '../class-names.js';
import { readBytes } from '../formats/files.js';
import { readIdx } from '../formats/idx.js';
import { firstExamples, limit, selectedOnTest, selectOn } from '../splits.js';

/** The data folder lies beside `src` and `dist` alike. */
const folder = fileURLToPath(new URL('../../data/fashion-mnist-mini/', import.meta.url));

function readSplit(name: 'train' | 'validation' | 'test'): ImageSet {
  const read = (kind: string, rank: number) => {
    const file = `${name}-${kind}.idx.br`;
    return readIdx(readBytes(join(folder, file)), { file, rank });
  };
  const images = read('images', 3);
  const set: ImageSet = {
    images: images.data,
    labels: Int32Array.from(read('labels', 1).data),
    shape: [images.shape[1]!, images.shape[2]!, 1],
  };
  return checkImageSet(set, { name: `fashion-mnist-mini (${name})`, classes: fashionMnistClasses.length });
}

/**
 * One image of each class in turn, so that the first few stand for all. The file begins with the classes whose training images were found
 * first: of its first 100, 32 are trousers and none are T-shirts.
 */
function classesInTurn(set: ImageSet): ImageSet {
  const seen = new Map<number, number>();
  const turns = Array.from(set.labels, (label) => {
    const turn = seen.get(label) ?? 0;
    seen.set(label, turn + 1);
    return turn;
  });
  const order = [...turns.keys()].sort((a, b) => turns[a]! - turns[b]! || set.labels[a]! - set.labels[b]!);
  return subset(set, order);
}

/**
 * Real Fashion-MNIST images that travel with the package, so that a first run needs no download: 2,560 for training, 500 for validation,
 * 1,000 for testing, every class the same number. In file order, the first images of each class of the full set.
 */
export const fashionMnistMini = defineDataSource({
  name: 'fashion-mnist-mini',
  summary: 'A class-balanced part of Fashion-MNIST (28x28x1) bundled with the package: 2,560 / 500 / 1,000 images.',
  cite: 'Xiao, Rasul, Vollgraf, 2017; arXiv:1708.07747',
  options: {
    validation: onlyWith(
      integer({ min: 0, max: 500 })
        .default(500)
        .describe('how many of the 500 bundled validation images to use; 0 for none'),
      { selectOn: 'validation' },
    ),
    selectOn,
    limit,
  },
  create(options) {
    const test = firstExamples(readSplit('test'), options.limit.test);
    const count = options.validation;
    const heldOut = count > 0 ? firstExamples(classesInTurn(readSplit('validation')), count) : undefined;
    const validation = options.selectOn === 'test' ? test : heldOut;
    return {
      name: 'fashion-mnist-mini',
      shape: [28, 28, 1],
      classNames: fashionMnistClasses,
      train: firstExamples(readSplit('train'), options.limit.train),
      ...(validation && { validation }),
      test,
      notes: [
        'Fashion-MNIST, (c) 2017 Zalando SE, MIT licence; a class-balanced part.',
        ...(options.selectOn === 'test' ? [selectedOnTest] : []),
      ],
    };
  },
});
