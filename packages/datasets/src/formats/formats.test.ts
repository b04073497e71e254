import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { BulwarkError } from '@bulwark/core';
import { readTar } from '../fetch/tar.js';
import { readCifarBinary } from './cifar-binary.js';
import { readIdx, writeIdx } from './idx.js';
import { decodeImage, encodePng } from './image/index.js';
import { readMat5 } from './mat5.js';
import { readNpy, writeNpy } from './npy.js';
import { readNpz, writeNpz } from './npz.js';

/** Files written by numpy and scipy. */
const { files } = JSON.parse(readFileSync(new URL('../../fixtures/small-files.json', import.meta.url), 'utf8')) as {
  files: Record<string, string>;
};
const written = (name: string) => new Uint8Array(Buffer.from(files[name]!, 'base64'));
/** X = arange(32*32*3*2).reshape(32,32,3,2) % 7 (uint8), y = [[10], [3]]. */
const scipyMat = written('scipy.savemat');
const packages = {
  'numpy.savez': written('numpy.savez'),
  'numpy.savez_compressed': written('numpy.savez_compressed'),
};

const png = encodePng(
  Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => i * 4),
  [5, 4, 3],
);

const tar = (() => {
  const bytes = new Uint8Array(2048);
  bytes.set(Buffer.from('folder/data.bin'));
  bytes.set(Buffer.from('0000644\x000000000\x000000000\x0000000000005\x0000000000000\x00'), 100);
  bytes[156] = 0x30;
  bytes.set(Buffer.from('ustar\x0000'), 257);
  const sum = bytes.subarray(0, 512).reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  bytes.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  bytes.set(Buffer.from('hello'), 512);
  return bytes;
})();

/** Two records of the CIFAR-10 layout with labels 9 and 0. */
const cifarRecords = Uint8Array.from({ length: 2 * 3073 }, (_, i) => (i === 0 ? 9 : i === 3073 ? 0 : i % 251));
const cifarTarget = () => ({ images: new Uint8Array(2 * 3072), labels: new Int32Array(2), first: 0 });
const readRecords = (bytes: Uint8Array, target = cifarTarget()) => {
  readCifarBinary(bytes, target, { file: 'x', labelBytes: 1, classes: 10, count: 2 });
  return target;
};

const idx = writeIdx({ shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
const npy = writeNpy({ shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) });

/** Every format with a reader and a valid small file. */
const readers: readonly [name: string, file: Uint8Array, read: (bytes: Uint8Array) => unknown][] = [
  ['idx', idx, (bytes) => readIdx(bytes, { file: 'x', rank: 2 })],
  ['npy', npy, (bytes) => readNpy(bytes, 'x')],
  ['npz (stored)', packages['numpy.savez'], (bytes) => readNpz(bytes, 'x')],
  ['npz (deflated)', packages['numpy.savez_compressed'], (bytes) => readNpz(bytes, 'x')],
  ['mat', scipyMat, (bytes) => readMat5(bytes, { file: 'x', names: ['X', 'y'] })],
  ['tar', tar, (bytes) => readTar(bytes, 'x')],
  ['png', png, (bytes) => decodeImage(bytes, { file: 'x', channels: 3 })],
  ['cifar records', cifarRecords, (bytes) => readRecords(bytes)],
];

/** The error that reading gives, or undefined. */
function failure(read: () => unknown): unknown {
  try {
    read();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('data formats', () => {
  it('read an idx array', () => {
    expect(readIdx(idx, { file: 'x', rank: 2 })).toEqual({ shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
  });

  it.each(Object.entries(packages))('read what %s writes', (_name, bytes) => {
    const arrays = readNpz(bytes, 'x');
    expect(arrays.get('image')).toEqual({ shape: [2, 2, 3, 3], data: Uint8Array.from({ length: 36 }, (_, i) => i) });
    expect(Array.from(arrays.get('label')!.data, Number)).toEqual([3, 7]);
  });

  it('read back their own npz', () => {
    const arrays = {
      a: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      b: { shape: [1], data: Int32Array.of(-1) },
    };
    for (const compress of [true, false])
      expect(Object.fromEntries(readNpz(writeNpz(arrays, { compress }), 'x'))).toEqual(arrays);
  });

  it('read what scipy.io.savemat writes, column-major', () => {
    const arrays = readMat5(scipyMat, { file: 'x', names: ['X', 'y'] });
    expect(arrays.y).toEqual({ shape: [2, 1], data: Uint8Array.of(10, 3) });
    const { shape, data } = arrays.X;
    expect(shape).toEqual([32, 32, 3, 2]);
    // X[5, 6, 1, 1] of the row-major arange
    expect(data[5 + 32 * (6 + 32 * (1 + 3 * 1))]).toBe((((5 * 32 + 6) * 3 + 1) * 2 + 1) % 7);
  });

  it('turn the planes of CIFAR records into pixels', () => {
    const { images, labels } = readRecords(cifarRecords);
    expect([...labels]).toEqual([9, 0]);
    // image 1, row 2, column 3, green: plane 1 of record 1
    expect(images[3072 + (2 * 32 + 3) * 3 + 1]).toBe(cifarRecords[3073 + 1 + 1024 + 2 * 32 + 3]);
  });

  it('decode a PNG to colour and to grey', () => {
    const { data, shape } = decodeImage(png, { file: 'x', channels: 3 });
    expect(shape).toEqual([5, 4, 3]);
    expect([...data.subarray(0, 6)]).toEqual([0, 4, 8, 12, 16, 20]);
    expect(decodeImage(png, { file: 'x', channels: 1 }).data[0]).toBe(Math.round(0.587 * 4 + 0.114 * 8));
  });

  it('find the files of an archive', () => {
    expect(Buffer.from(readTar(tar, 'x').get('folder/data.bin')!).toString()).toBe('hello');
  });

  it.each(readers)('refuse a truncated file by name: %s', (_name, file, read) => {
    const stride = Math.max(1, Math.floor(file.length / 300));
    // an archive may end after its last entry's data blocks only when the final zero block is there, too
    for (let length = 0; length < file.length - (file === tar ? 512 : 0); length += stride) {
      const error = failure(() => read(file.slice(0, length)));
      expect(error).toBeInstanceOf(BulwarkError);
      expect((error as BulwarkError).code).toBe('DATA_CORRUPT');
      expect((error as BulwarkError).message).toMatch(/^x/);
    }
  });

  it.each(readers)('give a clear error or a value, never a fault, for a damaged file: %s', (_name, file, read) => {
    const stride = Math.max(1, Math.floor(file.length / 300));
    for (let at = 0; at < file.length; at += stride)
      for (const flip of [0xff, 0x01, 0x80]) {
        const damaged = file.slice();
        damaged[at]! ^= flip;
        const error = failure(() => read(damaged));
        if (error !== undefined) expect(error).toBeInstanceOf(BulwarkError);
      }
  });

  it('notice any damage to the contents of an npz', () => {
    for (const bytes of Object.values(packages)) {
      const damaged = bytes.slice();
      damaged[150]! ^= 1; // within the first array
      expect(() => readNpz(damaged, 'set.npz')).toThrow(/^set\.npz:image\.npy at byte \d+/);
    }
  });

  it('name the file and the place', () => {
    expect(() => readIdx(idx.subarray(0, 14), { file: 'labels.gz', rank: 2 })).toThrow(
      /^labels\.gz at byte 12: truncated: 6 bytes are expected here, 2 are left/,
    );
    const late = new Uint8Array([...idx, 0]);
    expect(() => readIdx(late, { file: 'x', rank: 2 })).toThrow('x at byte 18: 1 bytes follow the array [2,3]');
    const records = cifarRecords.slice();
    records[3073] = 10;
    expect(() => readRecords(records)).toThrow('x at byte 3073: label 10 of record 1 is outside [0, 10)');
  });

  it('refuse other versions by name', () => {
    const old = npy.slice();
    old[6] = 4;
    expect(() => readNpy(old, 'x')).toThrow('x at byte 6: npy version 4; expected 1, 2 or 3');
    const hdf = scipyMat.slice();
    hdf.set(Buffer.from('MATLAB 7.3'));
    expect(() => readMat5(hdf, { file: 'x', names: [] })).toThrow('a MATLAB 7.3 file (HDF5)');
    const objects = Buffer.from(npy);
    objects.write('|O', objects.indexOf("'<f4'") + 1);
    expect(() => readNpy(objects, 'x')).toThrow(/element type|does not describe/);
  });

  it('refuse an image that claims to be enormous before decoding it', () => {
    const bomb = png.slice();
    new DataView(bomb.buffer).setUint32(16, 60000);
    new DataView(bomb.buffer).setUint32(20, 60000);
    expect(() => decodeImage(bomb, { file: 'x.png', channels: 3 })).toThrow('x.png at byte 16: 60000x60000 pixels');
    expect(() => decodeImage(deflateSync('text'), { file: 'x.png', channels: 3 })).toThrow('no image; PNG, JPEG');
  });
});
