import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  allImages,
  countOf,
  createRegistry,
  imagesAt,
  type DataSource,
  type PluginServices,
  type PluginSpec,
} from '@bulwark/core';
import { cifar10Classes, cifar100Classes } from '../class-names.js';
import { writeIdx } from '../formats/idx.js';
import { encodePng } from '../formats/image/index.js';
import { writeNpy } from '../formats/npy.js';
import { writeNpz } from '../formats/npz.js';
import { dataPlugins } from '../index.js';
import { cifar10Layout, cifarSet } from './cifar.js';
import { svhnSet } from './svhn.js';

const { files } = JSON.parse(readFileSync(new URL('../../fixtures/small-files.json', import.meta.url), 'utf8')) as {
  files: Record<string, string>;
};
const written = (name: string) => Buffer.from(files[name]!, 'base64');

let folder: string;
let warnings: string[];
let standIns: boolean;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulwark-data-'));
  warnings = [];
  standIns = false;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, bytes: Uint8Array | string) => {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), bytes);
};

const registry = createRegistry(dataPlugins);

/** The source of this spec, with paths relative to the test's folder. */
async function open({ use, ...options }: PluginSpec): Promise<DataSource> {
  const services = {
    baseFolder: folder,
    standIns,
    warn: (text: string) => void warnings.push(text),
    make: (_kind: string, spec: PluginSpec) => open(spec),
  } as unknown as PluginServices;
  const plugin = registry.find('data', use);
  return plugin.create(plugin.options.parse(options), services);
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: Error & { hint?: string; code?: string }) => error,
  );

/** Plain images whose pixels all hold their number. */
const images = (count: number, shape: readonly [number, number, number]) => ({
  shape: [count, ...shape],
  data: Uint8Array.from({ length: count * shape[0] * shape[1] * shape[2] }, (_, i) =>
    Math.floor(i / (shape[0] * shape[1] * shape[2])),
  ),
});

describe('cifar', () => {
  const layout = { ...cifar10Layout, trainCount: 10, testCount: 2 };
  const set = cifarSet(layout, { summary: '', classNames: cifar10Classes });

  it.each(['cifar.python2', 'cifar.python3'])('reads batches pickled as %s like the binary ones', (version) => {
    const planes = Uint8Array.from({ length: 2 * 3072 }, (_, i) => i % 251);
    const records = Buffer.concat([Buffer.of(9), planes.subarray(0, 3072), Buffer.of(0), planes.subarray(3072)]);
    for (const name of [...layout.python.train, ...layout.python.test])
      put(`py/${layout.python.folder}/${name}`, written(version));
    for (const name of [...layout.binary.train, ...layout.binary.test]) put(`bin/${name}`, records);
    const python = set.read(join(folder, 'py'));
    expect(python).toEqual(set.read(join(folder, 'bin')));
    expect([...python.train.labels]).toEqual([9, 0, 9, 0, 9, 0, 9, 0, 9, 0]);
    // image 1, row 0, column 1, blue: third plane
    expect(allImages(python.test)[3072 + 3 + 2]).toBe((3072 + 2 * 1024 + 1) % 251);
  });

  it('refuses a pickle that would run a command, without running it', () => {
    for (const name of [...layout.python.train, ...layout.python.test]) put(name, written('pickle.evil'));
    expect(() => set.read(folder)).toThrow(/^data_batch_1: .*os\.system.*nothing was executed/);
  });

  it('names the missing file and the command that gets it', async () => {
    const error = await failure(open({ use: 'cifar10', folder }));
    expect(error).toMatchObject({ code: 'DATA_MISSING', message: expect.stringContaining('data_batch_1.bin') });
    expect(error!.hint).toContain('bulwark data fetch cifar10');
  });

  it('holds the full-size set in less than 200 MB and holds 1000 images out', async () => {
    for (const name of [...layout.binary.train, ...layout.binary.test]) {
      put(name, '');
      truncateSync(join(folder, name), 10000 * 3073); // zeros: black images of class 0
    }
    const source = await open({ use: 'cifar10', folder: '.' });
    expect([source.train, source.validation!, source.test].map(countOf)).toEqual([49000, 1000, 10000]);
    const buffers = new Set([source.train, source.validation!, source.test].map((part) => allImages(part).buffer));
    expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(200e6);
    expect(source.classNames).toEqual(cifar10Classes);
  });

  it('refuses a file of the wrong size', async () => {
    put('data_batch_1.bin', new Uint8Array(3073));
    const error = (await failure(open({ use: 'cifar10', folder })))!;
    expect(error.message).toMatch(/^data_batch_1\.bin at byte 3073: 3073 bytes; expected 30730000/);
    expect(error.hint).toMatch(/^get the file again \(`bulwark data fetch cifar10`/);
  });

  it('has the hundred fine classes of CIFAR-100 in alphabetical order', () => {
    expect(cifar100Classes).toHaveLength(100);
    expect([...cifar100Classes].sort()).toEqual(cifar100Classes);
    expect([cifar100Classes[0], cifar100Classes[99]]).toEqual(['apple', 'worm']);
  });
});

describe('svhn', () => {
  it('turns MATLAB order into rows of pixels and label 10 into 0', () => {
    put('train_32x32.mat', written('scipy.savemat'));
    put('test_32x32.mat', written('scipy.savemat'));
    const { train } = svhnSet.read(folder);
    expect([...train.labels]).toEqual([0, 3]);
    // X[row 5, column 6, green, image 1] of arange(32*32*3*2).reshape(32, 32, 3, 2) % 7
    expect(allImages(train)[((1 * 32 + 5) * 32 + 6) * 3 + 1]).toBe((((5 * 32 + 6) * 3 + 1) * 2 + 1) % 7);
  });
});

describe('mnist and fashion-mnist', () => {
  const write = (count: number, labels: number[]) => {
    for (const split of ['train', 't10k']) {
      put(
        `${split}-images-idx3-ubyte.gz`,
        gzipSync(writeIdx({ ...images(count, [28, 28, 1]), shape: [count, 28, 28] })),
      );
      put(`${split}-labels-idx1-ubyte`, writeIdx({ shape: [labels.length], data: Uint8Array.from(labels) }));
    }
  };

  it('read compressed and plain files', async () => {
    write(4, [1, 2, 3, 9]);
    const source = await open({ use: 'mnist', folder, validation: 0 });
    expect([...source.train.labels]).toEqual([1, 2, 3, 9]);
    expect(allImages(source.train)[3 * 784]).toBe(3);
    expect((await open({ use: 'fashion-mnist', folder, validation: 0 })).classNames[0]).toBe('T-shirt/top');
  });

  it('name the file and the byte of a label out of range or too few labels', async () => {
    write(4, [1, 2, 10, 9]);
    expect((await failure(open({ use: 'mnist', folder })))!.message).toBe(
      'train-labels-idx1-ubyte at byte 10: label 10 is outside [0, 10)',
    );
    write(4, [1, 2, 3]);
    expect((await failure(open({ use: 'mnist', folder })))!.message).toBe(
      'train-labels-idx1-ubyte at byte 4: 3 labels for 4 images',
    );
  });

  it('refuse a truncated gz', async () => {
    write(4, [1, 2, 3, 4]);
    truncateSync(join(folder, 'train-images-idx3-ubyte.gz'), 40);
    expect((await failure(open({ use: 'mnist', folder })))!.message).toMatch(
      /^train-images-idx3-ubyte\.gz: cannot be decompressed/,
    );
  });
});

describe('image-folder', () => {
  /** 4x4 black pixels. */
  const bmp = Buffer.alloc(54 + 48);
  bmp.write('BM');
  for (const [at, value] of [
    [10, 54],
    [14, 40],
    [18, 4],
    [22, 4],
    [28, 24],
  ] as const)
    bmp.writeUInt16LE(value, at);
  const png = (value: number, side = 4) => encodePng(new Uint8Array(side * side * 3).fill(value), [side, side, 3]);
  const write = () => {
    for (const split of ['train', 'test'])
      for (const [k, name] of ['dog', 'cat'].entries())
        for (const i of [0, 1]) put(`${split}/${name}/${i}.png`, png(100 * k + i));
  };

  it('numbers classes and images in sorted order', async () => {
    write();
    const source = await open({ use: 'image-folder', folder: '.', validation: 0, channels: 1 });
    expect(source.classNames).toEqual(['cat', 'dog']);
    expect([...source.train.labels]).toEqual([0, 0, 1, 1]);
    expect([0, 1, 2, 3].map((i) => allImages(source.train)[i * 16])).toEqual([100, 101, 0, 1]);
    expect(source.shape).toEqual([4, 4, 1]);
  });

  it('names an empty class folder, an image that does not decode, and one of another size', async () => {
    write();
    mkdirSync(join(folder, 'train/empty'));
    mkdirSync(join(folder, 'test/empty'));
    const open_ = () => failure(open({ use: 'image-folder', folder: '.' }));
    expect((await open_())!.message).toContain(`${join(folder, 'train/empty')}: class folder without images`);
    rmSync(join(folder, 'train/empty'), { recursive: true });
    expect((await open_())!.message).toContain('classes cat, dog, empty; train has cat, dog');
    rmSync(join(folder, 'test/empty'), { recursive: true });
    put('train/dog/0.png', png(1).subarray(0, 60));
    expect((await open_())!.message).toContain(`${join(folder, 'train/dog/0.png')}: the image cannot be decoded`);
    put('train/dog/0.png', 'text');
    expect((await open_())!.message).toContain('no image; PNG, JPEG, WebP');
    put('train/dog/0.png', png(1, 5));
    expect((await open_())!.message).toContain('5x5 pixels; the images before it have 4x4');
  });

  it('follows links and walks down, so that no later class gets another label', async () => {
    write();
    for (const split of ['train', 'test']) {
      put(`elsewhere/${split}/0.png`, png(50));
      symlinkSync(join(folder, `elsewhere/${split}`), join(folder, split, 'cow'));
      put(`${split}/dog/more/deep/2.png`, png(2));
    }
    const source = await open({ use: 'image-folder', folder: '.', validation: 0, channels: 1 });
    expect(source.classNames).toEqual(['cat', 'cow', 'dog']);
    expect([...source.train.labels]).toEqual([0, 0, 1, 2, 2, 2]);
    expect([0, 1, 2, 3, 4, 5].map((i) => allImages(source.train)[i * 16])).toEqual([100, 101, 50, 0, 1, 2]);
    expect(warnings).toEqual([]);
  });

  it('says in one line what it left out, and refuses links to nothing and in circles', async () => {
    write();
    put('train/readme.txt', 'x');
    put('train/7.png', png(7));
    put('train/dog/list.csv', 'x');
    put('train/dog/more.tif', 'x');
    put('train/.cache/0.png', png(7));
    const { notes } = await open({ use: 'image-folder', folder: '.' });
    const line = `5 entries of ${join(folder, 'train')} left out: 1 hidden folder, 1 image outside of class folders, 1 file beside the classes, 1 .csv, 1 .tif.`;
    expect(warnings).toEqual([line]);
    expect(notes).toContain(line);
    symlinkSync(join(folder, 'nowhere'), join(folder, 'train/cow'));
    expect((await failure(open({ use: 'image-folder', folder: '.' })))!.message).toMatch(/cow: a link to something/);
    rmSync(join(folder, 'train/cow'));
    symlinkSync(join(folder, 'train/dog'), join(folder, 'train/dog/again'));
    expect((await failure(open({ use: 'image-folder', folder: '.' })))!.message).toMatch(/a link to a folder that it/);
  });

  it('takes val/ where there is no test/, and images of several forms in one class', async () => {
    write();
    renameSync(join(folder, 'test'), join(folder, 'val'));
    put('train/cat/2.bmp', bmp);
    const source = await open({ use: 'image-folder', folder: '.', validation: 0, channels: 1 });
    expect([...source.train.labels]).toEqual([0, 0, 0, 1, 1]);
    expect(countOf(source.test)).toBe(4);
  });
});

describe('npz and pickle', () => {
  it('read generated data by its usual names, and pairs of npy files', async () => {
    const x = images(10, [2, 2, 3]);
    const y = { shape: [10], data: BigInt64Array.from({ length: 10 }, (_, i) => BigInt(i % 3)) };
    put('set.npz', writeNpz({ image: x, label: y }));
    put('x.npy', writeNpy(x));
    put('y.npy', writeNpy(y));
    const one = await open({ use: 'npz', train: 'set.npz', classes: 3 });
    const two = await open({ use: 'npz', train: { images: 'x.npy', labels: 'y.npy' }, classes: ['a', 'b', 'c'] });
    expect(one.train).toEqual(two.train);
    expect([one.shape, countOf(one.train), countOf(one.test)]).toEqual([[2, 2, 3], 10, 0]);
    const unlabelled = await open({ use: 'npz', train: { images: 'x.npy' } });
    expect(unlabelled.train.labels.every((label) => label === -1)).toBe(true);
  });

  it('hold a tenth out when there is a test set', async () => {
    put('set.npz', writeNpz({ x: images(40, [2, 2, 1]), y: { shape: [40], data: new Uint8Array(40) } }));
    const source = await open({ use: 'npz', train: 'set.npz', test: 'set.npz', classes: 2 });
    expect([countOf(source.train), countOf(source.validation!), countOf(source.test)]).toEqual([36, 4, 40]);
  });

  it('read the keys of the published 500K pickle', async () => {
    put('ti.pickle', written('pickle.rst'));
    const source = await open({ use: 'pickle', train: 'ti.pickle' });
    expect([...source.train.labels]).toEqual([3, 7]);
    expect([...allImages(source.train)]).toEqual([...Array(36).keys()]);
  });

  it('refuse floats, channels first, labels out of range, and unknown names', async () => {
    const y = { shape: [2], data: Uint8Array.of(0, 12) };
    const read = (arrays: Parameters<typeof writeNpz>[0], options: object = {}) => {
      put('set.npz', writeNpz(arrays));
      return failure(open({ use: 'npz', train: 'set.npz', ...options }));
    };
    expect((await read({ image: images(2, [2, 2, 3]), label: y }))!.message).toContain(
      'label 12 of image 1 is outside [0, 10)',
    );
    expect((await read({ image: { shape: [2, 1, 1, 1], data: Float32Array.of(0, 1) }, label: y }))!.message).toContain(
      'images are f4; expected bytes',
    );
    expect((await read({ image: images(2, [3, 8, 8]), label: y }))!.message).toContain('the channels come last');
    expect((await read({ pictures: images(2, [2, 2, 3]) }))!.message).toContain(
      'set.npz: arrays pictures; expected image or',
    );
    expect((await read({ image: images(3, [2, 2, 3]), label: y }))!.message).toContain('2 labels for 3 images');
  });
});

describe('rst', () => {
  const write = (name: string, count: number, label: number) =>
    put(
      name,
      writeNpz({ image: images(count, [2, 2, 1]), label: { shape: [count], data: new Uint8Array(count).fill(label) } }),
    );
  const spec = {
    use: 'rst',
    labelled: { use: 'npz', train: 'labelled.npz', test: 'labelled.npz', validation: 2 },
    unlabelled: { use: 'npz', train: 'pseudo.npz' },
  };

  it('puts the pseudo-labelled images behind the labelled ones and mixes them in every batch', async () => {
    write('labelled.npz', 10, 1);
    write('pseudo.npz', 30, 2);
    const source = await open(spec);
    expect([countOf(source.train), countOf(source.validation!), countOf(source.test)]).toEqual([38, 2, 10]);
    expect([...source.train.labels.subarray(7, 9)]).toEqual([1, 2]);
    expect(source.sampler!({ batchSize: 256 }).batchesPerEpoch).toBe(196);
    expect(source.sampler!({ batchSize: 128 }).batchesPerEpoch).toBe(391);
  });

  it('refuses data of another shape or other classes', async () => {
    write('labelled.npz', 10, 1);
    put('pseudo.npz', writeNpz({ image: images(3, [3, 3, 1]), label: { shape: [3], data: new Uint8Array(3) } }));
    expect((await failure(open(spec)))!.message).toContain('rst: unlabelled images are [3,3,1], labelled ones [2,2,1]');
    write('pseudo.npz', 3, 11);
    const wide = { ...spec, unlabelled: { ...spec.unlabelled, classes: 12 } };
    expect((await failure(open(wide)))!.message).toContain('label 11 of example 0 is outside [0, 10)');
  });
});

describe('where only costs are wanted', () => {
  it.each([
    ['cifar10', [32, 32, 3], 10, [49000, 1000, 10000]],
    ['cifar100', [32, 32, 3], 100, [49000, 1000, 10000]],
    ['svhn', [32, 32, 3], 10, [72257, 1000, 26032]],
    ['mnist', [28, 28, 1], 10, [59000, 1000, 10000]],
    ['fashion-mnist', [28, 28, 1], 10, [59000, 1000, 10000]],
  ] as const)('%s needs no files', async (use, shape, classes, counts) => {
    await expect(open({ use, folder: '.' })).rejects.toMatchObject({ code: 'DATA_MISSING' });
    standIns = true;
    const { train, validation, test, ...data } = await open({ use, folder: '.' });
    expect([data.shape, data.classNames.length]).toEqual([shape, classes]);
    expect([train, validation!, test].map(countOf)).toEqual(counts);
    expect(new Set(imagesAt(train, [7])).size).toBeGreaterThan(50);
    expect(Math.max(...train.labels)).toBe(classes - 1);
    expect(warnings).toEqual([expect.stringMatching(`^${use}: .*costs are measured on images of the same shape`)]);
  });

  it('a damaged file is refused as ever', async () => {
    standIns = true;
    put('data_batch_1.bin', 'no images');
    await expect(open({ use: 'cifar10', folder: '.' })).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  });
});
