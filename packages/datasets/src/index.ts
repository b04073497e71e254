import type { Plugin } from '@bulwark/core';
import { fashionMnistMini } from './sources/fashion-mnist-mini.js';

/** Every data source and augmentation of this package. */
export const dataPlugins: Plugin[] = [fashionMnistMini];

export { fashionMnistMini };
export { readIdx, writeIdx, type IdxArray } from './formats/idx.js';
export { firstExamples, split, stratifiedHoldOut } from './splits.js';
