import { basename, extname, isAbsolute, resolve } from 'node:path';
import { BulwarkError, defineDataSource, integer, type ImageSet, type ImageShape } from '@bulwark/core';
import { z } from 'zod';
import { corrupt } from '../corrupt.js';
import { readBytes } from '../formats/files.js';
import { readNpy, type NpyArray } from '../formats/npy.js';
import { readNpz } from '../formats/npz.js';
import { arrayOrNumbersIn, readPickledDict } from '../formats/pickled.js';
import { split, splitOptions } from '../splits.js';

/** Keys under which published files hold their images and labels, in order of preference. */
const imageKeys = ['image', 'images', 'data', 'x', 'arr_0'];
const labelKeys = ['label', 'labels', 'extrapolated_targets', 'targets', 'y', 'arr_1'];

const pair = z.union([
  z.string().describe('an npz or pickle file with images and labels'),
  z.strictObject({
    images: z.string().describe('npy file of the images'),
    labels: z.string().optional().describe('npy file of the labels; without it the images are unlabelled'),
  }),
]);

type Pair = z.output<typeof pair>;

/** The first key that is there. */
function pick(arrays: { keys(): Iterable<string> }, wanted: readonly string[]): string | undefined {
  const keys = new Set(arrays.keys());
  return wanted.find((key) => keys.has(key));
}

function imagesOf(array: NpyArray, file: string): { data: Uint8Array; shape: ImageShape } {
  const { shape, data } = array;
  if (shape.length < 3 || shape.length > 4)
    throw corrupt(
      { file },
      `images have shape [${shape}]; expected [count, height, width] or [count, height, width, channels]`,
    );
  const [, height, width, channels = 1] = shape as [number, number, number, number?];
  if (channels > 4)
    throw corrupt({ file }, `images have shape [${shape}]; the channels come last`, {
      cure: 'transpose them to [count, height, width, channels]',
    });
  if (!(data instanceof Uint8Array))
    throw corrupt({ file }, `images are ${data.constructor.name}; expected bytes (uint8, 0 to 255)`, {
      cure: 'save them as np.uint8',
    });
  return { data, shape: [height, width, channels] };
}

function labelsOf(array: NpyArray | undefined, where: { file: string; count: number; classes: number }): Int32Array {
  if (!array) return new Int32Array(where.count).fill(-1);
  if (array.data.length !== where.count)
    throw corrupt({ file: where.file }, `${array.data.length} labels for ${where.count} images`);
  return Int32Array.from({ length: where.count }, (_, i) => {
    const label = Number(array.data[i]);
    if (!Number.isInteger(label) || label < -1 || label >= where.classes)
      throw corrupt(
        { file: where.file },
        `label ${label} of image ${i} is outside [0, ${where.classes}); -1 stands for "no label"`,
      );
    return label;
  });
}

/** The images and labels of an npz file, a pickle (`.pickle`, `.pkl`), or a pair of npy files; images uint8 NHWC. */
export function readArraySet(
  source: Pair,
  options: {
    baseFolder?: string | undefined;
    classes: number;
    imageKey?: string | undefined;
    labelKey?: string | undefined;
  },
): ImageSet {
  const path = (name: string) => (isAbsolute(name) ? name : resolve(options.baseFolder ?? '.', name));
  const load = (): { images: NpyArray; labels: NpyArray | undefined; file: string } => {
    if (typeof source !== 'string') {
      const read = (name: string) => readNpy(readBytes(path(name)), basename(name));
      return {
        images: read(source.images),
        labels: source.labels === undefined ? undefined : read(source.labels),
        file: basename(source.labels ?? source.images),
      };
    }
    const file = basename(source);
    const bytes = readBytes(path(source));
    const isPickle = ['.pickle', '.pkl'].includes(extname(file));
    const dict = isPickle ? readPickledDict(bytes, file) : undefined;
    const arrays = dict ? undefined : readNpz(bytes, file);
    const keys = (dict ?? arrays)!;
    const imageKey = pick(keys, options.imageKey === undefined ? imageKeys : [options.imageKey]);
    const labelKey = pick(keys, options.labelKey === undefined ? labelKeys : [options.labelKey]);
    if (!imageKey || (options.labelKey !== undefined && !labelKey))
      throw corrupt(
        { file },
        `arrays ${[...keys.keys()].join(', ') || 'none'}; expected ${options.imageKey ?? imageKeys.join(' or ')}`,
        {
          cure: 'name the arrays with imageKey and labelKey',
        },
      );
    const get = (key: string) => (dict ? arrayOrNumbersIn(dict, key, file) : arrays!.get(key)!);
    return { images: get(imageKey), labels: labelKey === undefined ? undefined : get(labelKey), file };
  };
  const { images, labels, file } = load();
  const { data, shape } = imagesOf(images, file);
  return { images: data, labels: labelsOf(labels, { file, count: images.shape[0]!, classes: options.classes }), shape };
}

const options = {
  train: pair.describe('training data'),
  test: pair.optional().describe('test data; without it the source has no test set, enough for the parts of `rst`'),
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
    .describe(`name of the labels in the file; default: the first of ${labelKeys.join(', ')}`),
  ...splitOptions({ validation: 0 }),
  validation: z
    .number()
    .min(0)
    .optional()
    .describe('examples held out: a count, or a share below 1; default: 0.1 with a test set, 0 without'),
};

/** Images and labels as arrays: how generated data sets, and the 500K pseudo-labelled images of RST, are published. */
const arraySource = (name: string, summary: string) =>
  defineDataSource({
    name,
    summary,
    options,
    create({ train, test, classes, imageKey, labelKey, ...splits }, services) {
      const validation = splits.validation ?? (test === undefined ? 0 : 0.1);
      const classNames = typeof classes === 'number' ? Array.from({ length: classes }, (_, i) => `${i}`) : classes;
      const read = (source: Pair) =>
        readArraySet(source, { baseFolder: services.baseFolder, classes: classNames.length, imageKey, labelKey });
      const whole = read(train);
      const empty: ImageSet = { images: new Uint8Array(), labels: new Int32Array(), shape: whole.shape };
      const tests = test === undefined ? empty : read(test);
      if (tests.shape.join() !== whole.shape.join())
        throw new BulwarkError(
          'DATA_CORRUPT',
          `${name}: test images are [${tests.shape}], training images [${whole.shape}]`,
          {
            cure: 'train and test need images of one shape',
          },
        );
      const parts = split({ train: whole, test: tests }, { ...splits, validation, name });
      const origin = `Arrays of ${typeof train === 'string' ? basename(train) : basename(train.images)}.`;
      return { name, shape: whole.shape, classNames, ...parts, notes: [origin, ...(parts.notes ?? [])] };
    },
  });

/** Images and labels as numpy arrays. */
export const npz = arraySource(
  'npz',
  'Images (uint8, NHWC) and labels of npz files or pairs of npy files, as generated data is published.',
);

/** Images and labels as a Python pickle. */
export const pickle = arraySource(
  'pickle',
  'Images and labels of a Python pickle, such as the 500K pseudo-labelled images of RST; numbers only, nothing in it is executed.',
);
