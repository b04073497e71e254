import { basename, join } from 'node:path';
import type { ImageSet } from '@bulwark/core';
import { cifar100Classes, cifar10Classes } from '../class-names.js';
import { corrupt } from '../corrupt.js';
import { findFile, needFile } from '../folder.js';
import { planesToPixels, readCifarBinary } from '../formats/cifar-binary.js';
import { readBytes } from '../formats/files.js';
import { arrayIn, numbersIn, readPickledDict } from '../formats/pickled.js';
import { refuseOtherCifar } from './other-cifar.js';
import type { WholeSet } from './whole-set.js';

const pixels = 32 * 32;
const imageBytes = 3 * pixels;

export interface CifarLayout {
  readonly name: string;
  readonly classes: number;
  readonly labelBytes: number;
  /** Key of the labels in the Python version. */
  readonly labelKey: string;
  readonly binary: { readonly folder: string; readonly train: readonly string[]; readonly test: readonly string[] };
  readonly python: { readonly folder: string; readonly train: readonly string[]; readonly test: readonly string[] };
  readonly trainCount: number;
  readonly testCount: number;
}

interface Target {
  readonly images: Uint8Array;
  readonly labels: Int32Array;
  readonly first: number;
}

/** One pickled batch: `data` [count, 3072] in planes, and a list of labels. */
function readPython(path: string, target: Target, options: { layout: CifarLayout; count: number }): void {
  const { layout, count } = options;
  const file = basename(path);
  const dict = readPickledDict(readBytes(path), file);
  const other = layout.labelKey === 'labels' ? 'fine_labels' : 'labels';
  if (dict.has(other) && !dict.has(layout.labelKey))
    throw corrupt({ file }, `a batch of ${other === 'labels' ? 'CIFAR-10' : 'CIFAR-100'}, not of ${layout.name}`, {
      hint: `write data: { use: ${other === 'labels' ? 'cifar10' : 'cifar100'}, ... } for it`,
    });
  const data = arrayIn(dict, 'data', file);
  const labels = numbersIn(dict, layout.labelKey, file);
  if (!(data.data instanceof Uint8Array) || data.shape.join() !== `${count},${imageBytes}`)
    throw corrupt({ file }, `data has shape [${data.shape}]; expected bytes of [${count}, ${imageBytes}]`);
  if (labels.length !== count) throw corrupt({ file }, `${labels.length} labels for ${count} images`);
  for (let i = 0; i < count; i++) {
    const label = labels[i]!;
    if (!Number.isInteger(label) || label < 0 || label >= layout.classes)
      throw corrupt({ file }, `label ${label} of image ${i} is outside [0, ${layout.classes})`);
    target.labels[target.first + i] = label;
    const planes = data.data.subarray(i * imageBytes, (i + 1) * imageBytes);
    planesToPixels(planes, target.images, { offset: (target.first + i) * imageBytes, count: pixels });
  }
}

/** Reads files of one split straight into one buffer, so that memory never holds the set twice. */
function readSplit(folder: string, layout: CifarLayout, split: 'train' | 'test'): ImageSet {
  const total = split === 'train' ? layout.trainCount : layout.testCount;
  const images = new Uint8Array(total * imageBytes);
  const labels = new Int32Array(total);
  const { binary, python } = layout;
  const hasPython =
    findFile(folder, named(python, python[split][0]!)) && !findFile(folder, named(binary, binary[split][0]!));
  const version = hasPython ? python : binary;
  if (!findFile(folder, named(version, version[split][0]!))) refuseOtherCifar(folder, layout.name);
  const count = total / version[split].length;
  version[split].forEach((name, k) => {
    const path = needFile(folder, named(version, name), layout.name);
    const target = { images, labels, first: k * count };
    if (hasPython) readPython(path, target, { layout, count });
    else
      readCifarBinary(readBytes(path), target, {
        file: basename(path),
        labelBytes: layout.labelBytes,
        classes: layout.classes,
        count,
      });
  });
  return { images, labels, shape: [32, 32, 3] };
}

const named = (version: CifarLayout['binary'], name: string) => [join(version.folder, name), name];

/** A data set in one of CIFAR's layouts. */
export const cifarSet = <const Name extends string>(
  layout: CifarLayout & { readonly name: Name },
  set: Pick<WholeSet, 'summary' | 'classNames'>,
): WholeSet & { readonly name: Name } => ({
  ...set,
  name: layout.name,
  cite: 'Krizhevsky, 2009 (Learning Multiple Layers of Features from Tiny Images)',
  shape: [32, 32, 3],
  counts: { train: layout.trainCount, test: layout.testCount },
  notes: [`${layout.name}, Krizhevsky, Nair, Hinton; no explicit licence.`],
  validation: 1000,
  read: (folder) => ({ train: readSplit(folder, layout, 'train'), test: readSplit(folder, layout, 'test') }),
});

const batches = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`);

export const cifar10Layout = {
  name: 'cifar10' as const,
  classes: 10,
  labelBytes: 1,
  labelKey: 'labels',
  binary: { folder: 'cifar-10-batches-bin', train: batches.map((name) => `${name}.bin`), test: ['test_batch.bin'] },
  python: { folder: 'cifar-10-batches-py', train: batches, test: ['test_batch'] },
  trainCount: 50000,
  testCount: 10000,
} satisfies CifarLayout;

export const cifar100Layout = {
  name: 'cifar100' as const,
  classes: 100,
  labelBytes: 2,
  labelKey: 'fine_labels',
  binary: { folder: 'cifar-100-binary', train: ['train.bin'], test: ['test.bin'] },
  python: { folder: 'cifar-100-python', train: ['train'], test: ['test'] },
  trainCount: 50000,
  testCount: 10000,
} satisfies CifarLayout;

export const cifar10Set = cifarSet(cifar10Layout, {
  summary: 'Photographs, 32x32x3, 10 classes, 50,000 + 10,000; binary or Python version.',
  classNames: cifar10Classes,
});

export const cifar100Set = cifarSet(cifar100Layout, {
  summary: 'Photographs, 32x32x3, 100 fine classes, 50,000 + 10,000; binary or Python version.',
  classNames: cifar100Classes,
});
