import { basename, isAbsolute, resolve } from 'node:path';
import { defineDataSource, integer, type ImageSet, type ImageShape } from '@bulwark/core';
import { z } from 'zod';
import { corrupt } from '../corrupt.js';
import { openCsv } from '../formats/csv.js';
import { readBytes } from '../formats/files.js';
import { split, splitOptions } from '../splits.js';

interface CsvOptions {
  readonly classNames: readonly string[];
  readonly shape: ImageShape | undefined;
  readonly label: string | number | undefined;
}

/** Where the labels are: as the user says, else under the name label, else first. */
function labelColumn(
  columns: readonly string[] | undefined,
  { label }: CsvOptions,
  place: { file: string; width: number },
): number {
  const { file, width } = place;
  const named = columns?.findIndex((name) =>
    label === undefined ? /^(labels?|class|target|y)$/i.test(name) : name === label,
  );
  const at = typeof label === 'number' ? (label < 0 ? width + label : label) : (named ?? -1);
  if (at >= 0 && at < width) return at;
  if (label === undefined) return 0;
  throw corrupt(
    { file },
    `has no column ${label}; it has ${columns ? columns.slice(0, 8).join(', ') : `${width} without names`}`,
    {
      hint: 'name the column of labels, or give its position, from 0: label: 0',
    },
  );
}

/** Square images, in grey or else in colour. */
function guessShape(pixels: number, file: string): ImageShape {
  for (const channels of [1, 3] as const) {
    const side = Math.sqrt(pixels / channels);
    if (Number.isInteger(side)) return [side, side, channels];
  }
  throw corrupt({ file }, `${pixels} pixels in a row make no square image`, {
    hint: 'say what they are: shape: [height, width, channels]',
  });
}

/** Images of a csv file: a row for each, its label in one column and its pixels in the others, row by row, channels last. */
export function readCsv(path: string, options: CsvOptions): ImageSet {
  const file = basename(path);
  const table = openCsv(readBytes(path), file);
  const { classNames } = options;
  const numbers = new Map(classNames.map((name, i) => [name, i]));
  const rows: Uint8Array[] = [];
  const labels: number[] = [];
  let at: number | undefined;
  let size = 0;
  for (const row of table.rows()) {
    at ??= labelColumn(table.columns, options, { file, width: row.length });
    const [text] = row.splice(at, 1) as [string];
    const label = numbers.get(text) ?? (text === '' ? NaN : Number(text));
    if (!Number.isInteger(label) || label < -1 || label >= classNames.length)
      throw corrupt(
        { file },
        `label ${JSON.stringify(text)} of image ${rows.length} is none of ${classNames.length} classes`,
        {
          hint: 'set classes to their number, or to their names in the order of their numbers; label names the column',
        },
      );
    const pixels = Uint8Array.from(row, Number);
    const bad = row.findIndex((cell, i) => cell === '' || Number(cell) !== pixels[i]);
    if (bad >= 0)
      throw corrupt(
        { file },
        `pixel ${bad} of image ${rows.length} is ${JSON.stringify(row[bad])}; expected an integer from 0 to 255`,
        {
          hint: 'write pixels as bytes: (x * 255).round().astype(int) if they are in [0, 1]',
        },
      );
    size = pixels.length;
    rows.push(pixels);
    labels.push(label);
  }
  if (rows.length === 0) throw corrupt({ file }, 'has no images', { hint: 'write one row for each image' });
  const shape = options.shape ?? guessShape(size, file);
  if (shape[0] * shape[1] * shape[2] !== size)
    throw corrupt({ file }, `${size} pixels in a row are no image of [${shape}]`, {
      hint: 'set shape to [height, width, channels] of the images',
    });
  const images = new Uint8Array(rows.length * size);
  rows.forEach((pixels, i) => images.set(pixels, i * size));
  return { images, labels: Int32Array.from(labels), shape };
}

/** Images as tables of text. */
export const csv = defineDataSource({
  name: 'csv',
  summary: 'Images as rows of csv files, a label and pixels from 0 to 255, as MNIST and others are handed around.',
  options: {
    train: z.string().describe('csv file of the training images; .gz is unpacked'),
    test: z.string().describe('csv file of the test images'),
    classes: z
      .union([integer({ min: 2 }), z.array(z.string()).min(2)])
      .default(10)
      .describe('number of classes, or their names in label order'),
    label: z
      .union([z.string(), z.int()])
      .optional()
      .describe(
        'column of the labels by name or position (-1: the last); default: the one called label, else the first',
      ),
    shape: z
      .tuple([integer({ min: 1 }), integer({ min: 1 }), integer({ min: 1, max: 4 })])
      .optional()
      .describe('height, width, channels of an image; default: square, grey if that fits'),
    ...splitOptions({ validation: 0.1 }),
  },
  create({ train, test, classes, label, shape, ...splits }, { baseFolder }) {
    const classNames = typeof classes === 'number' ? Array.from({ length: classes }, (_, i) => `${i}`) : classes;
    const path = (name: string) => (isAbsolute(name) ? name : resolve(baseFolder, name));
    const whole = readCsv(path(train), { classNames, shape, label });
    const tests = readCsv(path(test), { classNames, shape: whole.shape, label });
    const parts = split({ train: whole, test: tests }, { ...splits, name: 'csv' });
    return {
      name: 'csv',
      shape: whole.shape,
      classNames,
      ...parts,
      notes: [`Rows of ${basename(train)}.`, ...(parts.notes ?? [])],
    };
  },
});
