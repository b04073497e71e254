import type { Plugin } from '@bulwark/core';
import { cutmix } from './augment/cutmix.js';
import { cutout } from './augment/cutout.js';
import { horizontalFlip } from './augment/horizontal-flip.js';
import { mixup } from './augment/mixup.js';
import { randomCrop } from './augment/random-crop.js';
import { fashionMnistMini } from './sources/fashion-mnist-mini.js';

/** Every data source and augmentation of this package. */
export const dataPlugins: Plugin[] = [fashionMnistMini, randomCrop, horizontalFlip, cutout, mixup, cutmix];

export { fashionMnistMini, randomCrop, horizontalFlip, cutout, mixup, cutmix };
export { readIdx, writeIdx, type IdxArray } from './formats/idx.js';
export { firstExamples, split, stratifiedHoldOut } from './splits.js';
