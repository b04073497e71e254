import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { allImages, countOf, createRegistry, type DataSource, type PluginServices } from '@bulwark/core';
import { checkSpec } from '@bulwark/core/run';
import { encodePng } from '../formats/image/index.js';
import { writeNpy } from '../formats/npy.js';
import { expectInDocs, formsTable } from '../../../core/test/docs-table.js';
import { dataPlugins } from '../index.js';

const registry = createRegistry(dataPlugins);
let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulwark-forms-'));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, content: Uint8Array | string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
};
const open = async (spec: { use: string; [option: string]: unknown }): Promise<DataSource> => {
  const { use, ...options } = checkSpec(registry, 'data', spec, ['data']);
  const services = {
    baseFolder: folder,
    warn: (text: string) => void warnings.push(text),
  } as unknown as PluginServices;
  return registry.find('data', use).create(options as never, services);
};
const message = async (spec: { use: string; [option: string]: unknown }) => {
  try {
    await open(spec);
  } catch (error) {
    const { message: what, hint } = error as Error & { hint?: string };
    return `${what} / ${hint}`;
  }
  return 'read';
};

const rows: [form: string, outcome: string][] = [];
const isRead = (...forms: string[]) => forms.forEach((form) => rows.push([form, 'read']));
const isRefused = (...forms: string[]) => forms.forEach((form) => rows.push([form, 'refused']));
afterAll(() => expectInDocs('data.md', 'shapes-of-data.test.ts', formsTable(rows)));

describe('CIFAR in another form', () => {
  isRefused('CIFAR-100 in place of CIFAR-10, and the reverse', 'CIFAR for MATLAB', 'CIFAR as a packed archive');
  it.each([
    ['cifar10', 'cifar-100-python/train', /cifar10: .* holds CIFAR-100 .*use: cifar100/],
    ['cifar10', 'train.bin', /holds CIFAR-100/],
    ['cifar100', 'cifar-10-batches-py/data_batch_1', /holds CIFAR-10 .*use: cifar10/],
    ['cifar100', 'data_batch_1.bin', /holds CIFAR-10 /],
    ['cifar10', 'data_batch_1.mat', /holds the MATLAB version .*fetch cifar10/],
    ['cifar100', 'cifar-100-matlab/train.mat', /holds the MATLAB version .*fetch cifar100/],
    ['cifar10', 'cifar-10-python.tar.gz', /the archive cifar-10-python\.tar\.gz, which is packed.*tar xzf/],
    ['cifar10', 'data_batch_2', /has no cifar-10-batches-bin\/data_batch_1\.bin.*fetch cifar10/],
  ])('%s where %s is, is named', async (use, file, expected) => {
    put(file, 'something');
    expect(await message({ use, folder: '.' })).toMatch(expected);
  });

  it('is named by the size of its records, under the names of the other', async () => {
    put('data_batch_1.bin', new Uint8Array(2 * 3074));
    expect(await message({ use: 'cifar10', folder: '.' })).toMatch(/its size is that of 2 records of CIFAR-100/);
  });
});

describe('test sets that are made to judge models', () => {
  const images = (count: number) =>
    writeNpy({
      shape: [count, 32, 32, 3],
      data: Uint8Array.from({ length: count * 3072 }, (_, i) => Math.floor(i / 3072)),
    });
  const labels = (count: number) =>
    writeNpy({ shape: [count], data: Uint8Array.from({ length: count }, (_, i) => i % 10) });

  isRead(
    'CIFAR-10-C, one corruption, one severity',
    'CIFAR-10-C and CIFAR-100-C, all corruptions, by index',
    'CIFAR-10.1, v6 and v4',
  );
  isRefused('CIFAR-10-C with a corruption or severity that it has not');
  it('CIFAR-10-C is read by corruption and severity', async () => {
    for (const name of ['fog', 'frost']) put(`${name}.npy`, images(10));
    put('labels.npy', labels(10));
    const { test, train, notes } = await open({ use: 'cifar10-c', folder: '.', corruption: 'fog', severity: 2 });
    expect([countOf(train), [...test.labels]]).toEqual([0, [2, 3]]);
    expect([allImages(test)[0], allImages(test)[3072]]).toEqual([2, 3]);
    expect(notes).toEqual(['cifar10-c: corruption fog, severity 2.']);
    const fog = await open({ use: 'cifar10-c', folder: '.', corruption: 'fog' });
    expect(countOf(fog.test)).toBe(10);
    expect(fog.groups).toEqual(
      [1, 2, 3, 4, 5].map((level) => ({ name: 'fog', level, from: 2 * (level - 1), to: 2 * level })),
    );
    expect(await message({ use: 'cifar10-c', folder: '.', corruption: 'fogg' })).toMatch(/data\.corruption is "fogg"/);
    expect(await message({ use: 'cifar10-c', folder: '.', severity: 6 })).toMatch(/data\.severity is 6/);
    expect(await message({ use: 'cifar10-c', folder: '.' })).toMatch(/gaussian_noise\.npy does not exist.*zenodo/);
  });

  it('CIFAR-100-C with all corruptions one after the other, read by index', async () => {
    const all =
      'gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur snow frost fog brightness contrast elastic_transform pixelate jpeg_compression';
    all
      .split(' ')
      .forEach((name, k) =>
        put(`${name}.npy`, writeNpy({ shape: [5, 32, 32, 3], data: new Uint8Array(5 * 3072).fill(k) })),
      );
    put('labels.npy', writeNpy({ shape: [5], data: Uint8Array.of(99, 1, 2, 3, 4) }));
    const { test } = await open({ use: 'cifar100-c', folder: '.' });
    expect(countOf(test)).toBe(75);
    expect(test.images).not.toBeInstanceOf(Uint8Array);
    expect([allImages(test)[0], allImages(test).at(-1), test.labels[5]]).toEqual([0, 14, 99]);
    const { test: severe } = await open({ use: 'cifar100-c', folder: '.', severity: 5 });
    expect([...severe.labels]).toEqual(Array<number>(15).fill(4));
  });

  it('CIFAR-10.1 in both versions', async () => {
    put('cifar10.1_v6_data.npy', images(4));
    put('cifar10.1_v6_labels.npy', labels(4));
    expect([...(await open({ use: 'cifar10-1', folder: '.' })).test.labels]).toEqual([0, 1, 2, 3]);
    expect(await message({ use: 'cifar10-1', folder: '.', version: 'v4' })).toMatch(/v4_data\.npy.*modestyachts/);
  });
});

describe('csv', () => {
  const kaggle = 'label,pixel0,pixel1,pixel2,pixel3\n2,0,255,7,8\n0,1,2,3,4\n';
  const read = async (train: string, more: object = {}) => {
    put('train.csv', train);
    put('test.csv', train);
    const { train: set } = await open({ use: 'csv', train: 'train.csv', test: 'test.csv', validation: 0, ...more });
    return { labels: [...set.labels], pixels: [...allImages(set)], shape: set.shape };
  };
  const expected = { labels: [2, 0], pixels: [0, 255, 7, 8, 1, 2, 3, 4], shape: [2, 2, 1] };

  const readable: [string, string, object][] = [
    ['with names of columns', kaggle, {}],
    ['without names of columns', kaggle.slice(kaggle.indexOf('\n') + 1), {}],
    ['with a byte-order mark and line ends of Windows', `\ufeff${kaggle.replaceAll('\n', '\r\n')}`, {}],
    [
      'between semicolons, quoted, without an end of line',
      kaggle.replaceAll(',', ';').replace('255', '"255"').trimEnd(),
      {},
    ],
    ['between tabs', kaggle.replaceAll(',', '\t'), {}],
    ['with the label last', 'a,b,c,d,y\n0,255,7,8,2\n1,2,3,4,0\n', {}],
    ['with the label last, without names', '0,255,7,8,2\n1,2,3,4,0\n', { label: -1 }],
    ['with a label column by name', 'a,b,kind,c,d\n0,255,2,7,8\n1,2,0,3,4\n', { label: 'kind' }],
    ['with labels as text', 'cow,0,255,7,8\nant,1,2,3,4\n', { classes: ['ant', 'bee', 'cow'] }],
  ];
  isRead(...readable.map(([what]) => `csv ${what}`), 'csv packed by gzip, and in colour');
  it.each(readable)('%s is read', async (_, text, options) => {
    expect(await read(text, options)).toEqual(expected);
  });

  it('is read packed, and in colour, channels last', async () => {
    put('a.csv.gz', gzipSync(`1,${Array.from({ length: 12 }, (_, i) => i).join(',')}\n`));
    const { train } = await open({ use: 'csv', train: 'a.csv.gz', test: 'a.csv.gz', validation: 0 });
    expect(train.shape).toEqual([2, 2, 3]);
    const given = { shape: [1, 4, 3] };
    expect((await open({ use: 'csv', train: 'a.csv.gz', test: 'a.csv.gz', validation: 0, ...given })).shape).toEqual([
      1, 4, 3,
    ]);
  });

  const refusals: [string, string, object, RegExp][] = [
    ['pixels in [0, 1]', '1,0.5,0.25,0,1\n', {}, /pixel 0 of image 0 is "0\.5"; expected an integer.*255/],
    ['pixels beyond a byte', '1,0,0,0,256\n', {}, /pixel 3 of image 0 is "256"/],
    ['rows of another length', '1,0,0,0,0\n1,0\n', {}, /line 2 has 2 values, the first has 5/],
    [
      'text as labels without names of classes',
      'cow,0,0,0,0\n',
      {},
      /label "cow" of image 0 is none of 10 classes.*names/,
    ],
    ['a label that is too large', '10,0,0,0,0\n', {}, /label "10"/],
    ['pixels that make no square', '1,0,0\n', {}, /2 pixels in a row make no square.*shape: \[height/],
    ['another shape', '1,0,0,0,0\n', { shape: [3, 3, 1] }, /4 pixels in a row are no image of \[3,3,1\]/],
    ['a column that is not there', kaggle, { label: 'kind' }, /has no column kind; it has label, pixel0/],
    ['nothing', '\n', {}, /is empty/],
  ];
  isRefused(...refusals.map(([what]) => `csv with ${what}`));
  it.each(refusals)('with %s is refused', async (_, text, options, refused) => {
    put('train.csv', text);
    const said = await message({ use: 'csv', train: 'train.csv', test: 'train.csv', ...options });
    expect(said).not.toMatch(/data fetch/); // own data cannot be fetched
    expect(said).toMatch(refused);
  });
});

describe('Tiny-ImageNet', () => {
  const image = (value: number, size = 4) => encodePng(new Uint8Array(size * size * 3).fill(value), [size, size, 3]);
  beforeEach(() => {
    for (const [k, name] of ['n01', 'n02'].entries())
      for (const i of [0, 1]) put(`train/${name}/images/${name}_${i}.JPEG`, image(10 * k + i));
    put('train/n01/n01_boxes.txt', 'n01_0.JPEG\t0\t0\t1\t1\n');
    put('val/images/val_0.JPEG', image(100));
    put('val/images/val_1.JPEG', image(101));
    put('val/val_annotations.txt', 'val_0.JPEG\tn02\t0\t0\t1\t1\nval_1.JPEG\tn01\t0\t0\t1\t1\n');
    put('test/images/test_0.JPEG', image(200));
  });

  isRead('Tiny-ImageNet as it is unpacked', 'images of several sizes in a folder, with `size`');
  isRefused('the same without `size`', 'Tiny-ImageNet whose annotations name no class of train');
  it('is read as it is unpacked: classes of val by its annotations, test images without labels left alone', async () => {
    const { train, test, classNames } = await open({ use: 'image-folder', folder: '.', validation: 0 });
    expect([classNames, [...train.labels], [...test.labels]]).toEqual([
      ['n01', 'n02'],
      [0, 0, 1, 1],
      [1, 0],
    ]);
    expect([allImages(test)[0], allImages(train).at(-1)]).toEqual([100, 11]);
    expect(warnings.join()).toMatch(/1 entry of .*train left out: 1 \.txt/);
  });

  it('is resized, also where images have different sizes', async () => {
    put('train/n02/images/n02_1.JPEG', image(11, 6));
    expect(await message({ use: 'image-folder', folder: '.' })).toMatch(/6x6 pixels.*size: 32/);
    const { train, shape } = await open({ use: 'image-folder', folder: '.', validation: 0, size: 2 });
    expect([shape, allImages(train).at(-1)]).toEqual([[2, 2, 3], 11]);
  });

  it('with an annotation of no class of train is refused', async () => {
    put('val/val_annotations.txt', 'val_0.JPEG\tn03\t0\n');
    expect(await message({ use: 'image-folder', folder: '.' })).toMatch(
      /line 1: "val_0\.JPEG.*names no image of a class/,
    );
  });
});

describe('a folder of images', () => {
  const image = (value: number) => encodePng(new Uint8Array(12).fill(value), [2, 2, 3]);
  const read = async () => {
    const { train, classNames } = await open({ use: 'image-folder', folder: '.', validation: 0 });
    return { classNames, labels: [...train.labels], first: allImages(train).filter((_, i) => i % 12 === 0) };
  };
  const elsewhere = () => mkdtempSync(join(tmpdir(), 'bulwark-elsewhere-'));
  beforeEach(() => {
    for (const [k, name] of ['ant', 'bee', 'cow'].entries())
      for (const part of ['train', 'test']) put(`${part}/${name}/0.png`, image(k));
  });

  isRead('a folder of images with a class that is a link', 'a class with images and subfolders');
  isRefused('a link to nothing among the classes');
  it('with a class that is a link keeps the labels behind it', async () => {
    const real = elsewhere();
    renameSync(join(folder, 'train/bee'), join(real, 'b'));
    symlinkSync(join(real, 'b'), join(folder, 'train/bee'));
    expect(await read()).toEqual({
      classNames: ['ant', 'bee', 'cow'],
      labels: [0, 1, 2],
      first: Uint8Array.of(0, 1, 2),
    });
    rmSync(join(real, 'b'), { recursive: true });
    expect(await message({ use: 'image-folder', folder: '.' })).toMatch(/bee.*a link to/);
    rmSync(real, { recursive: true });
  });

  it('with a class of images and subfolders has all of them', async () => {
    put('train/bee/more/deep/1.PNG', image(7));
    expect((await read()).labels).toEqual([0, 1, 1, 2]);
  });
});
