import { basename } from 'node:path';
import type { ImageSet } from '@bulwark/core';
import { svhnClasses } from '../class-names.js';
import { corrupt } from '../corrupt.js';
import { needFile } from '../folder.js';
import { readBytes } from '../formats/files.js';
import { readMat5 } from '../formats/mat5.js';
import type { WholeSet } from './whole-set.js';

const side = 32;

/** `X` is [height, width, channel, image] column-major; `y` holds 1 to 10, where 10 stands for the digit 0. */
function readSplit(folder: string, name: string): ImageSet {
  const path = needFile(folder, [name], 'svhn');
  const file = basename(path);
  const { X: x, y } = readMat5(readBytes(path), { file, names: ['X', 'y'] });
  const [height, width, channels, count] = x.shape;
  if (x.shape.length !== 4 || height !== side || width !== side || channels !== 3 || !(x.data instanceof Uint8Array))
    throw corrupt({ file }, `X has shape [${x.shape}]; expected bytes of [32, 32, 3, n]`);
  if (y.data.length !== count) throw corrupt({ file }, `y has ${y.data.length} labels for ${count} images`);
  const labels = Int32Array.from(y.data, (label, i) => {
    if (!(Number.isInteger(label) && label >= 0 && label <= 10))
      throw corrupt({ file }, `label ${label} of image ${i} is outside [1, 10]`);
    return label % 10;
  });
  const plane = side * side;
  const images = new Uint8Array(x.data.length);
  for (let i = 0; i < labels.length; i++)
    for (let c = 0; c < 3; c++)
      for (let column = 0, from = (i * 3 + c) * plane; column < side; column++)
        for (let row = 0; row < side; row++) images[((i * side + row) * side + column) * 3 + c] = x.data[from++]!;
  return { images, labels, shape: [side, side, 3] };
}

export const svhnSet = {
  name: 'svhn' as const,
  summary:
    'Street View house numbers, cropped digits (format 2), 32x32x3, 10 classes, 73,257 + 26,032; without "extra".',
  cite: 'Netzer, Wang, Coates, Bissacco, Wu, Ng, 2011',
  shape: [side, side, 3],
  counts: { train: 73257, test: 26032 },
  classNames: svhnClasses,
  notes: ['SVHN, for non-commercial use only; the "extra" images are not used.'],
  validation: 1000,
  read: (folder) => ({ train: readSplit(folder, 'train_32x32.mat'), test: readSplit(folder, 'test_32x32.mat') }),
} satisfies WholeSet;
