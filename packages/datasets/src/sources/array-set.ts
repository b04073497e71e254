import { basename, isAbsolute, resolve } from 'node:path';
import { BulwarkError, concatenated, defineDataSource, integer, type ImageSet } from '@bulwark/core';
import { z } from 'zod';
import { fileSource } from '../formats/byte-source.js';
import { openNpy } from '../formats/npy.js';
import { split, splitOptions } from '../splits.js';
import { imagesOf } from './arrays/images.js';
import { labelsOf } from './arrays/labels.js';
import { imageKeys, labelKeys, openArrays, pickImages, pickLabels, type Part } from './arrays/open.js';

const pair = z.union([
  z.string().describe('an npz or pickle file with images and labels'),
  z.strictObject({
    images: z.string().describe('npy file of the images'),
    labels: z.string().optional().describe('npy file of the labels; without it the images are unlabelled'),
  }),
]);
const files = z.union([pair, z.array(pair).min(1).describe('several of them, as one set')]);

type Pair = z.output<typeof pair>;

/** How arrays are found and read. */
export interface ArrayOptions {
  readonly baseFolder?: string | undefined;
  /** Number of classes, or their names. */
  readonly classes: number | readonly string[];
  readonly imageKey?: string | undefined;
  /** `none`: the images have no labels. */
  readonly labelKey?: string | undefined;
  /** Which part is wanted of a file that holds both (`x_train`, `y_train`, `x_test`, `y_test`). */
  readonly part?: Part;
  /** Hears of a conversion that takes long. */
  readonly tell?: (text: string) => void;
}

const namesOf = (classes: number | readonly string[]): readonly string[] =>
  typeof classes === 'number' ? Array.from({ length: Math.min(classes, 1e6) }, (_, i) => `${i}`) : classes;

/**
 * The images and labels of an npz file, a pickle (`.pickle`, `.pkl`), or a pair of npy files; images uint8 NHWC. Large ones are read by index
 * from their file.
 * @throws BulwarkError DATA_MISSING, DATA_CORRUPT
 */
export async function readArraySet(source: Pair | readonly Pair[], options: ArrayOptions): Promise<ImageSet> {
  if (Array.isArray(source)) {
    const sets: ImageSet[] = [];
    for (const each of source as readonly Pair[]) sets.push(await readArraySet(each, options));
    const odd = sets.find(({ shape }) => shape.join() !== sets[0]!.shape.join());
    if (odd)
      throw new BulwarkError('DATA_CORRUPT', `images of [${odd.shape}] after images of [${sets[0]!.shape}]`, {
        hint: 'all files of a set need images of one shape',
      });
    return concatenated(sets);
  }
  const { baseFolder = '.', classes, imageKey, labelKey, part, tell = () => undefined } = options;
  const path = (name: string) => (isAbsolute(name) ? name : resolve(baseFolder, name));
  const classNames = namesOf(classes);
  if (typeof source !== 'string') {
    const one = source as Exclude<Pair, string>;
    const array = openNpy(fileSource(path(one.images)));
    const labels = one.labels === undefined ? undefined : openNpy(fileSource(path(one.labels)));
    const { images, shape } = imagesOf(array);
    const where = { file: basename(one.labels ?? one.images), count: array.shape[0]!, classNames };
    return { images, labels: labelsOf(labels, where), shape };
  }
  const arrays = openArrays(path(source), tell);
  const name = pickImages(arrays, imageKey, part);
  const array = await arrays.open(name);
  const { images, shape } = imagesOf(array);
  const count = array.shape[0]!;
  const labelled =
    labelKey === 'none' ? undefined : await pickLabels(arrays, { key: labelKey, count, images: name, part });
  const labels = labelled === undefined ? undefined : await arrays.open(labelled);
  return { images, labels: labelsOf(labels, { file: arrays.file, count, classNames }), shape };
}

const options = {
  train: files.describe('training data: a file, a pair of npy files, or a list of them'),
  test: files.optional().describe('test data; without it the source has no test set, enough for the parts of `rst`'),
  classes: z
    .union([integer({ min: 2 }), z.array(z.string()).min(2)])
    .default(10)
    .describe('number of classes, or their names in label order'),
  imageKey: z
    .string()
    .optional()
    .describe(`name of the images in the file; default: the first of ${imageKeys.join(', ')}`),
  labelKey: z
    .string()
    .optional()
    .describe(`name of the labels in the file, none if it has none; default: the first of ${labelKeys.join(', ')}`),
  ...splitOptions({ validation: 0 }),
  validation: z
    .number()
    .min(0)
    .optional()
    .describe('examples held out: a count, or a share below 1; default: 0.1 with a test set, 0 without'),
};

const fileNames = (source: Pair | readonly Pair[]): string =>
  (Array.isArray(source) ? (source as Pair[]) : [source as Pair])
    .map((each) => basename(typeof each === 'string' ? each : each.images))
    .join(', ');

/** Images and labels as arrays: how generated data sets, and the 500K pseudo-labelled images of RST, are published. */
const arraySource = <const Name extends string>(name: Name, summary: string) =>
  defineDataSource({
    name,
    summary,
    options,
    async create({ train, test, classes, imageKey, labelKey, ...splits }, services) {
      const validation = splits.validation ?? (test === undefined ? 0 : 0.1);
      const classNames = namesOf(classes);
      const { baseFolder } = services;
      const tell = (text: string) => services.warn(text);
      const read = (source: Pair | readonly Pair[], part: Part) =>
        readArraySet(source, { baseFolder, classes: classNames, imageKey, labelKey, part, tell });
      const whole = await read(train, 'train');
      const empty: ImageSet = { images: new Uint8Array(), labels: new Int32Array(), shape: whole.shape };
      const tests = test === undefined ? empty : await read(test, 'test');
      if (tests.shape.join() !== whole.shape.join())
        throw new BulwarkError(
          'DATA_CORRUPT',
          `${name}: test images are [${tests.shape}], training images [${whole.shape}]`,
          {
            hint: 'train and test need images of one shape',
          },
        );
      const parts = split({ train: whole, test: tests }, { ...splits, validation, name });
      const origin = `Arrays of ${fileNames(train)}.`;
      return { name, shape: whole.shape, classNames, ...parts, notes: [origin, ...(parts.notes ?? [])] };
    },
  });

/** Images and labels as numpy arrays. */
export const npz = arraySource(
  'npz',
  'Images (uint8, NHWC) and labels of npz files or pairs of npy files, of any size, as generated data is published.',
);

/** Images and labels as a Python pickle. */
export const pickle = arraySource(
  'pickle',
  'Images and labels of a Python pickle, such as the 500K pseudo-labelled images of RST; numbers only, nothing in it is executed.',
);
