import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError, concatenated, countOf, defineDataSource, rangeOf, type ImageSet } from '@bulwark/core';
import { z } from 'zod';
import { cifar100Classes, cifar10Classes } from '../class-names.js';
import { corrupt } from '../corrupt.js';
import { dataFolder, folderOption } from '../folder.js';
import { fileSource } from '../formats/byte-source.js';
import { openNpy } from '../formats/npy.js';
import { imagesOf } from './arrays/images.js';
import { labelsOf } from './arrays/labels.js';

/** The corruptions of the benchmark, then the four that it keeps for choosing settings. */
const corruptions =
  'gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur snow frost fog brightness contrast elastic_transform pixelate jpeg_compression'.split(
    ' ',
  );
const extra = ['gaussian_blur', 'saturate', 'spatter', 'speckle_noise'];
const severities = 5;

const needed = (path: string, name: string, from: string): string => {
  if (existsSync(path)) return path;
  throw new BulwarkError('DATA_MISSING', `${name}: ${path} does not exist`, {
    hint: `get it from ${from}, unpack it, and name its folder: data.folder`,
  });
};

/** Test images alone: these sets are made to judge models, not to train them. */
const onlyTest = (test: ImageSet): { train: ImageSet; test: ImageSet } => ({
  train: { images: new Uint8Array(), labels: new Int32Array(), shape: test.shape },
  test,
});

function readPair(
  images: string,
  labels: string,
  { classNames, held }: { classNames: readonly string[]; held?: number },
): ImageSet {
  const array = openNpy(fileSource(images));
  const { images: pixels, shape } = imagesOf(array, held);
  if (shape.join() !== '32,32,3') throw corrupt({ file: images }, `images are [${shape}]; expected [32, 32, 3]`);
  const found = labelsOf(openNpy(fileSource(labels)), { file: labels, count: array.shape[0]!, classNames });
  return { images: pixels, labels: found, shape };
}

/** CIFAR-10-C or CIFAR-100-C: a file for each corruption, with the test set five times, the mildest first. */
const corrupted = <const Name extends string>(
  name: Name,
  set: { of: string; classNames: readonly string[]; record: string },
) =>
  defineDataSource({
    name,
    summary: `The test set of ${set.of} under 15 common corruptions at 5 severities, for evaluations.`,
    cite: 'Hendrycks and Dietterich, 2019; arXiv:1903.12261',
    options: {
      folder: folderOption,
      corruption: z
        .enum(['all', ...corruptions, ...extra])
        .default('all')
        .describe('which corruption; all: the 15 of the benchmark, one after the other'),
      severity: z
        .union([z.literal('all'), z.int().min(1).max(severities)])
        .default('all')
        .describe('from 1 (mild) to 5; all: all five, one after the other'),
    },
    create({ folder, corruption, severity }, { baseFolder }) {
      const root = dataFolder(name, { folder, baseFolder });
      const at = (file: string) => needed(join(root, file), name, `https://zenodo.org/records/${set.record}`);
      const chosen = corruption === 'all' ? corruptions : [corruption];
      const parts = chosen.map((one) => {
        const whole = readPair(at(`${one}.npy`), at('labels.npy'), {
          classNames: set.classNames,
          // fifteen of them are 2.3 GB: they are read by index
          ...(chosen.length > 1 && { held: 0 }),
        });
        if (severity === 'all') return whole;
        const each = whole.labels.length / severities;
        if (!Number.isInteger(each))
          throw corrupt(
            { file: `${one}.npy` },
            `${whole.labels.length} images are not five severities of one test set`,
          );
        return rangeOf(whole, (severity - 1) * each, severity * each);
      });
      const levels = severity === 'all' ? Array.from({ length: severities }, (_, s) => s + 1) : [severity];
      const each = parts.map((part) => countOf(part) / levels.length);
      let from = 0;
      const groups = chosen.flatMap((one, c) =>
        levels.map((level) => ({ name: one, level, from, to: (from += each[c]!) })),
      );
      const what = `corruption ${corruption}, severity ${severity}`;
      return {
        name,
        shape: [32, 32, 3],
        classNames: set.classNames,
        ...onlyTest(concatenated(parts)),
        groups,
        notes: [`${name}: ${what}.`],
      };
    },
  });

/** CIFAR-10-C. */
export const cifar10C = corrupted('cifar10-c', { of: 'CIFAR-10', classNames: cifar10Classes, record: '2535967' });
/** CIFAR-100-C. */
export const cifar100C = corrupted('cifar100-c', { of: 'CIFAR-100', classNames: cifar100Classes, record: '3555552' });

/** CIFAR-10.1. */
export const cifar101 = defineDataSource({
  name: 'cifar10-1',
  summary: 'CIFAR-10.1: 2000 new test images for CIFAR-10, for evaluations.',
  cite: 'Recht, Roelofs, Schmidt, Shankar, 2018; arXiv:1806.00451',
  options: {
    folder: folderOption,
    version: z.enum(['v6', 'v4']).default('v6').describe('v6: 2000 images, balanced; v4: 2021'),
  },
  create({ folder, version }, { baseFolder }) {
    const root = dataFolder('cifar10-1', { folder, baseFolder });
    const at = (what: string) =>
      needed(
        join(root, `cifar10.1_${version}_${what}.npy`),
        'cifar10-1',
        'https://github.com/modestyachts/CIFAR-10.1 (folder datasets)',
      );
    const test = readPair(at('data'), at('labels'), { classNames: cifar10Classes });
    return {
      name: 'cifar10-1',
      shape: [32, 32, 3],
      classNames: cifar10Classes,
      ...onlyTest(test),
      notes: [`CIFAR-10.1 ${version}.`],
    };
  },
});
