import { basename } from 'node:path';
import type { ImageSet } from '@bulwark/core';
import { fashionMnistClasses, mnistClasses } from '../class-names.js';
import { corrupt } from '../corrupt.js';
import { needFile } from '../folder.js';
import { readBytes } from '../formats/files.js';
import { readIdx } from '../formats/idx.js';
import type { WholeSet } from './whole-set.js';

/** Images and labels of one split, compressed or not, also in torchvision's folders. */
function readSplit(folder: string, options: { name: string; split: 'train' | 't10k'; torchvision: string }): ImageSet {
  const { name, split, torchvision } = options;
  const read = (kind: 'images-idx3' | 'labels-idx1', rank: number) => {
    const base = `${split}-${kind}-ubyte`;
    const raw = `${torchvision}/raw/${base}`;
    const path = needFile(folder, [`${base}.gz`, base, `${raw}.gz`, raw], name);
    return { file: basename(path), ...readIdx(readBytes(path), { file: basename(path), rank }) };
  };
  const images = read('images-idx3', 3);
  const labels = read('labels-idx1', 1);
  if (images.shape[1] !== 28 || images.shape[2] !== 28)
    throw corrupt({ file: images.file, offset: 8 }, `images of ${images.shape[1]}x${images.shape[2]}; expected 28x28`);
  if (images.shape[0] !== labels.shape[0])
    throw corrupt({ file: labels.file, offset: 4 }, `${labels.shape[0]} labels for ${images.shape[0]} images`);
  const wrong = labels.data.findIndex((label) => label > 9);
  if (wrong >= 0)
    throw corrupt({ file: labels.file, offset: 8 + wrong }, `label ${labels.data[wrong]} is outside [0, 10)`);
  return { images: images.data, labels: Int32Array.from(labels.data), shape: [28, 28, 1] };
}

const mnistLike = <const Name extends string>(
  set: Omit<WholeSet, 'read' | 'shape' | 'counts' | 'validation'> & { readonly name: Name; torchvision: string },
): WholeSet & { readonly name: Name } => ({
  ...set,
  shape: [28, 28, 1],
  counts: { train: 60000, test: 10000 },
  validation: 1000,
  read: (folder) => ({
    train: readSplit(folder, { ...set, split: 'train' }),
    test: readSplit(folder, { ...set, split: 't10k' }),
  }),
});

export const mnistSet = mnistLike({
  name: 'mnist',
  summary: 'Handwritten digits, 28x28x1, 10 classes, 60,000 + 10,000.',
  cite: 'LeCun, Bottou, Bengio, Haffner, 1998',
  classNames: mnistClasses,
  notes: ['MNIST, CC BY-SA 3.0.'],
  torchvision: 'MNIST',
});

export const fashionMnistSet = mnistLike({
  name: 'fashion-mnist',
  summary: 'Articles of clothing, 28x28x1, 10 classes, 60,000 + 10,000.',
  cite: 'Xiao, Rasul, Vollgraf, 2017; arXiv:1708.07747',
  classNames: fashionMnistClasses,
  notes: ['Fashion-MNIST, (c) 2017 Zalando SE, MIT licence.'],
  torchvision: 'FashionMNIST',
});
