import { existsSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { BulwarkError, defineDataSource, type ImageSet, type ImageShape } from '@bulwark/core';
import { z } from 'zod';
import { corrupt } from '../corrupt.js';
import { dataFolder } from '../folder.js';
import { decodeImage, imageExtensions } from '../formats/image.js';
import { readBytes } from '../formats/files.js';
import { split, splitOptions } from '../splits.js';

const sorted = (names: string[]) =>
  names.filter((name) => !name.startsWith('.')).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

/** Class folders in sorted order, as torchvision's ImageFolder numbers them. */
function classFolders(folder: string): string[] {
  if (!existsSync(folder))
    throw new BulwarkError('DATA_MISSING', `image-folder: ${folder} does not exist`, {
      cure: 'the folder needs train/<class>/*.png (or .jpg) and test/<class>/*.png',
    });
  const names = sorted(
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name),
  );
  if (names.length === 0)
    throw corrupt({ file: folder }, 'has no class folders', {
      cure: 'put the images of each class into a folder of its name',
    });
  return names;
}

function readImages(folder: string, options: { classes: readonly string[]; channels: 1 | 3 }): ImageSet {
  const { classes, channels } = options;
  const paths: { path: string; label: number }[] = [];
  for (const [label, name] of classes.entries()) {
    const files = sorted(readdirSync(join(folder, name))).filter((file) =>
      (imageExtensions as readonly string[]).includes(extname(file).toLowerCase()),
    );
    if (files.length === 0)
      throw corrupt({ file: join(folder, name) }, `class folder without images (${imageExtensions.join(', ')})`, {
        cure: 'add its images, or remove the folder',
      });
    for (const file of files) paths.push({ path: join(folder, name, file), label });
  }
  let shape: ImageShape | undefined;
  let images = new Uint8Array();
  paths.forEach(({ path }, i) => {
    const image = decodeImage(readBytes(path), { file: path, channels });
    if (!shape) {
      shape = image.shape;
      images = new Uint8Array(paths.length * image.data.length);
    } else if (image.shape.join() !== shape.join())
      throw corrupt(
        { file: path },
        `${image.shape[1]}x${image.shape[0]} pixels; the images before it have ${shape[1]}x${shape[0]}`,
        { cure: 'bring all images to one size first' },
      );
    images.set(image.data, i * image.data.length);
  });
  return { images, labels: Int32Array.from(paths, ({ label }) => label), shape: shape! };
}

/** `train/<class>/*` and `test/<class>/*`; classes are numbered in sorted order of the folder names of `train`. */
export const imageFolder = defineDataSource({
  name: 'image-folder',
  summary: 'PNG or JPEG images of one size, in a folder for each class, under train/ and test/.',
  options: {
    folder: z.string().describe('folder with train/<class>/ and test/<class>/'),
    channels: z
      .union([z.literal(1), z.literal(3)])
      .default(3)
      .describe('1: grey (luma), 3: RGB; alpha is dropped'),
    ...splitOptions({ validation: 0.1 }),
  },
  create({ folder, channels, ...options }, services) {
    const root = dataFolder('image-folder', { folder, baseFolder: services.baseFolder });
    const classNames = classFolders(join(root, 'train'));
    const testClasses = classFolders(join(root, 'test'));
    if (testClasses.join('\n') !== classNames.join('\n'))
      throw corrupt(
        { file: join(root, 'test') },
        `classes ${testClasses.join(', ')}; train has ${classNames.join(', ')}`,
        {
          cure: 'train and test need the same class folders',
        },
      );
    const train = readImages(join(root, 'train'), { classes: classNames, channels });
    const test = readImages(join(root, 'test'), { classes: classNames, channels });
    if (test.shape.join() !== train.shape.join())
      throw corrupt({ file: join(root, 'test') }, `images of [${test.shape}]; train has [${train.shape}]`, {
        cure: 'bring all images to one size first',
      });
    const parts = split({ train, test }, { ...options, name: 'image-folder' });
    return {
      name: 'image-folder',
      shape: train.shape,
      classNames,
      ...parts,
      notes: [`Images of ${root}.`, ...(parts.notes ?? [])],
    };
  },
});
