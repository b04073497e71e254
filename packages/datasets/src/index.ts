/**
 * Data sets, augmentation, pseudo-labels.
 * @module @bulwark/datasets
 */
import type { Plugin } from '@bulwark/core';
import { colorShape } from './augment/color-shape.js';
import { cropShift } from './augment/crop-shift.js';
import { cutmix, pasteBox } from './augment/cutmix.js';
import { cutout } from './augment/cutout.js';
import { horizontalFlip } from './augment/horizontal-flip.js';
import { mixup } from './augment/mixup.js';
import { randomCrop } from './augment/random-crop.js';
import { randomErasing } from './augment/random-erasing.js';
import { npz, pickle } from './sources/array-set.js';
import { cifar100Set, cifar10Set } from './sources/cifar.js';
import { cifar100C, cifar101, cifar10C } from './sources/cifar-shifts.js';
import { csv } from './sources/csv.js';
import { fashionMnistMini } from './sources/fashion-mnist-mini.js';
import { imageFolder } from './sources/image-folder.js';
import { fashionMnistSet, mnistSet } from './sources/mnist.js';
import { rst } from './sources/rst.js';
import { svhnSet } from './sources/svhn.js';
import { wholeSetSource } from './sources/whole-set.js';

/** CIFAR-10 in its binary or Python version. */
export const cifar10 = wholeSetSource(cifar10Set);
/** CIFAR-100 with its fine classes. */
export const cifar100 = wholeSetSource(cifar100Set);
/** SVHN, cropped digits. */
export const svhn = wholeSetSource(svhnSet);
/** MNIST. */
export const mnist = wholeSetSource(mnistSet);
/** Fashion-MNIST, all of it. */
export const fashionMnist = wholeSetSource(fashionMnistSet);

const augmentations = [
  randomCrop,
  horizontalFlip,
  cutout,
  mixup,
  cutmix,
  cropShift,
  colorShape,
  randomErasing,
] as const;
/** The augmentations of this package, for the types of configs. */
export type AugmentationPlugin = (typeof augmentations)[number];

const sources = [
  fashionMnistMini,
  fashionMnist,
  mnist,
  cifar10,
  cifar100,
  cifar10C,
  cifar100C,
  cifar101,
  svhn,
  imageFolder,
  npz,
  pickle,
  csv,
  rst,
] as const;
/** The data sources of this package, for the types of configs. */
export type DataPlugin = (typeof sources)[number];

/** Every data source and augmentation of this package. */
export const dataPlugins: Plugin[] = [...(sources as unknown as readonly Plugin[]), ...augmentations];

export { cifar100C, cifar101, cifar10C, csv };
export { colorShape, cropShift, randomErasing };
export { cutmix, cutout, pasteBox, fashionMnistMini, horizontalFlip, imageFolder, mixup, npz, pickle, randomCrop, rst };
export { benchmarkPipeline } from './benchmark.js';
export { describeData, sampleSheet, type SplitFacts } from './describe.js';
export { fetchDataSet, type Fetched, type FetchOptions } from './fetch/fetch.js';
export { type OnProgress, type Progress } from './fetch/transfer.js';
export { dataFolder, dataRoot } from './folder.js';
export { readIdx, writeIdx, type IdxArray } from './formats/idx.js';
export { decodeImage, encodePng } from './formats/image/index.js';
export { readMat5, type MatArray } from './formats/mat5.js';
export { readNpy, writeNpy, type NpyArray, type NpyValues } from './formats/npy.js';
export { readNpz, writeNpz } from './formats/npz.js';
export { pseudoLabels, selectPseudoLabels, type PseudoLabels } from './pseudo-labels.js';
export { readArraySet } from './sources/array-set.js';
export { rstSampler, type RstMixture } from './sources/rst-sampler.js';
export { firstExamples, stratifiedHoldOut } from './splits.js';
