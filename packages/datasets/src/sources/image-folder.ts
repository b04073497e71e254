import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineDataSource, integer, type ImageSet, type ImageShape } from '@bulwark/core';
import { z } from 'zod';
import { corrupt } from '../corrupt.js';
import { dataFolder } from '../folder.js';
import { readBytes } from '../formats/files.js';
import { decodeImage, imageExtensions } from '../formats/image/index.js';
import { squareImage } from '../formats/image/resize.js';
import { split, splitOptions } from '../splits.js';
import { annotatedImages, annotationsFile } from './annotations.js';
import { classFolders, imagesOfClass, skippedText, type Skipped } from './image-tree.js';

interface Labelled {
  readonly path: string;
  readonly label: number;
}

interface ImageOptions {
  readonly channels: 1 | 3;
  /** Side of the square that images are brought to. */
  readonly size?: number | undefined;
}

interface Split {
  readonly set: ImageSet;
  readonly note: string | undefined;
}

/** The images of one split; `classes` are those of the training set, which decides their numbers. */
function readSplit(
  folder: string,
  options: ImageOptions & { classes?: readonly string[] },
): Split & {
  classes: readonly string[];
} {
  const skipped: Skipped = new Map();
  const annotated = options.classes && annotatedImages(folder, options.classes);
  if (annotated) return { set: readImages(annotated, options), classes: options.classes!, note: undefined };
  const names = classFolders(folder, skipped);
  const classes = options.classes ?? names;
  if (names.join('\n') !== classes.join('\n'))
    throw corrupt({ file: folder }, `classes ${names.join(', ')}; train has ${classes.join(', ')}`, {
      hint: 'train and test need the same class folders',
    });
  const paths = names.flatMap((name, label) => {
    const images = imagesOfClass(join(folder, name), skipped);
    if (images.length === 0)
      throw corrupt({ file: join(folder, name) }, `class folder without images (${imageExtensions.join(', ')})`, {
        hint: 'add its images, or remove the folder',
      });
    return images.map((path) => ({ path, label }));
  });
  return { set: readImages(paths, options), classes, note: skippedText(folder, skipped) };
}

function readImages(paths: readonly Labelled[], { channels, size }: ImageOptions): ImageSet {
  let shape: ImageShape | undefined;
  let images = new Uint8Array();
  paths.forEach(({ path }, i) => {
    const decoded = decodeImage(readBytes(path), { file: path, channels });
    const image = size === undefined ? decoded : squareImage(decoded, size);
    if (!shape) {
      shape = image.shape;
      images = new Uint8Array(paths.length * image.data.length);
    } else if (image.shape.join() !== shape.join())
      throw corrupt(
        { file: path },
        `${image.shape[1]}x${image.shape[0]} pixels; the images before it have ${shape[1]}x${shape[0]}`,
        { hint: 'bring all images to one size, or have them resized: size: 32' },
      );
    images.set(image.data, i * image.data.length);
  });
  return { images, labels: Int32Array.from(paths, ({ label }) => label), shape: shape! };
}

/** Where the test images are: `test`, or `val` as ImageNet's copies have it. */
const testFolder = (root: string): string =>
  // Tiny-ImageNet's own test images have no labels
  existsSync(join(root, 'val', annotationsFile)) ? join(root, 'val') : usualTestFolder(root);

const usualTestFolder = (root: string): string =>
  ['test', 'val', 'valid', 'validation'].map((name) => join(root, name)).find((path) => existsSync(path)) ??
  join(root, 'test');

/** `train/<class>/**` and `test/<class>/**`; classes are numbered in sorted order of the folder names of `train`. */
export const imageFolder = defineDataSource({
  name: 'image-folder',
  summary:
    'Images of one size (PNG, JPEG, WebP, BMP, PPM), in a folder for each class, under train/ and test/ (or val/).',
  options: {
    folder: z.string().describe('folder with train/<class>/ and test/<class>/; images lie at any depth below'),
    channels: z
      .union([z.literal(1), z.literal(3)])
      .default(3)
      .describe('1: grey (luma), 3: RGB; alpha is dropped'),
    size: integer({ min: 1, max: 1024 })
      .optional()
      .describe('resize the shorter side to this and keep the middle; default: images as they are, all of one size'),
    ...splitOptions({ validation: 0.1 }),
  },
  create({ folder, channels, size, ...options }, services) {
    const root = dataFolder('image-folder', { folder, baseFolder: services.baseFolder });
    const train = readSplit(join(root, 'train'), { channels, size });
    const testing = testFolder(root);
    const test = readSplit(testing, { classes: train.classes, channels, size });
    const { shape } = train.set;
    if (test.set.shape.join() !== shape.join())
      throw corrupt({ file: testing }, `images of [${test.set.shape}]; train has [${shape}]`, {
        hint: 'bring all images to one size first',
      });
    const skipped = [train.note, test.note].filter((note) => note !== undefined);
    for (const note of skipped) services.warn(note);
    const parts = split({ train: train.set, test: test.set }, { ...options, name: 'image-folder' });
    return {
      name: 'image-folder',
      shape,
      classNames: train.classes,
      ...parts,
      notes: [`Images of ${root}.`, ...skipped, ...(parts.notes ?? [])],
    };
  },
});
