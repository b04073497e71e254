import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, crc32, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { readTar } from '../fetch/tar.js';
import { readBytes } from './files.js';
import { decodeImage } from './image/index.js';
import { readMat5 } from './mat5.js';
import { readNpz, writeNpz } from './npz.js';

const folder = mkdtempSync(join(tmpdir(), 'bulwark-hostile-'));
const at = (name: string, content: Uint8Array) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('a compressed file that unpacks to more than its size allows', () => {
  it.each([
    ['gz', (bytes: Uint8Array) => gzipSync(bytes)],
    ['br', (bytes: Uint8Array) => brotliCompressSync(bytes)],
  ])('is refused before the memory is taken: .%s', (ending, compress) => {
    const zeros = compress(new Uint8Array(300 * 2 ** 20));
    expect(() => readBytes(at(`bomb.${ending}`, zeros))).toThrow(/unpack to more than \d+, which is refused/);
    const some = compress(new Uint8Array(200 * 2 ** 20));
    expect(readBytes(at(`large.${ending}`, some)).length).toBe(200 * 2 ** 20);
  });
});

it('a pipe in place of a data file is refused, not waited for', () => {
  const pipe = join(folder, 'pipe.npz');
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
  expect(() => readBytes(pipe)).toThrow('is a pipe, not a file');
});

describe('an archive', () => {
  it('may not call a file other than the file calls itself', () => {
    const bytes = writeNpz({ image: { shape: [2], data: Uint8Array.of(1, 2) } });
    const listed = Buffer.from(bytes).lastIndexOf('image.npy');
    bytes[listed] = 'I'.charCodeAt(0);
    expect(() => readNpz(bytes, 'set.npz')).toThrow('calls it "Image.npy", itself "image.npy"');
  });

  it.each(['-0000000512', '00000000x00', '1e3', '0x10', '9'])('is refused with a size of %s', (size) => {
    const header = Buffer.alloc(1024);
    header.write('a.bin');
    header.write(size, 124);
    header[156] = 0x30;
    const sum = header.subarray(0, 512).reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    expect(() => readTar(header, 'set.tar')).toThrow('a number of an archive header is');
  });
});

describe('a MATLAB file', () => {
  const element = (type: number, data: Uint8Array) => {
    const padded = new Uint8Array(8 + Math.ceil(data.length / 8) * 8);
    new DataView(padded.buffer).setUint32(0, type, true);
    new DataView(padded.buffer).setUint32(4, data.length, true);
    padded.set(data, 8);
    return padded;
  };
  const words = (...values: number[]) => new Uint8Array(Int32Array.from(values).buffer);
  const matrix = (name: string, bytes: number) =>
    element(
      14,
      Buffer.concat([
        ...[element(6, words(9, 0)), element(5, words(bytes, 1)), element(1, Buffer.from(name))],
        element(2, new Uint8Array(bytes)),
      ]),
    );
  const compressed = (content: Uint8Array) => {
    const packed = deflateSync(content);
    return Buffer.concat([words(15, packed.length), packed]);
  };
  const file = (...elements: Uint8Array[]) => {
    const head = Buffer.alloc(128, ' ');
    head.write('MATLAB 5.0', 0);
    head.set([0, 1, 0x49, 0x4d], 124);
    return new Uint8Array(Buffer.concat([head, ...elements]));
  };

  it('is read without keeping what nobody asked for, and within its budget', () => {
    const options = { file: 'x.mat', names: ['y'] as const };
    expect(readMat5(file(compressed(matrix('other', 10 * 2 ** 20)), matrix('y', 4)), options).y.shape).toEqual([4, 1]);
    const bomb = compressed(matrix('other', 100 * 2 ** 20));
    expect(() => readMat5(file(bomb, bomb, bomb, matrix('y', 4)), options)).toThrow(/would take|may take/);
  });
});

it('an interlaced PNG whose data are more than its image is refused', () => {
  const chunk = (name: string, data: Uint8Array) => {
    const bytes = Buffer.alloc(12 + data.length);
    bytes.writeUInt32BE(data.length);
    bytes.write(name, 4, 'latin1');
    bytes.set(data, 8);
    bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
    return bytes;
  };
  const png = (interlaced: number, content: Uint8Array) => {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(2, 0);
    header.writeUInt32BE(2, 4);
    header.set([8, 0, 0, 0, interlaced], 8);
    const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(content)), chunk('IEND', Buffer.alloc(0))];
    return new Uint8Array(Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts]));
  };
  const options = { file: 'x.png', channels: 1 } as const;
  expect(() => decodeImage(png(1, new Uint8Array(300 * 2 ** 20)), options)).toThrow(
    'unpack to more than an image of 2x2',
  );
  // passes 1, 6 and 7 of Adam7: one pixel, one, and a row of two, each row behind its filter
  expect(decodeImage(png(1, Uint8Array.of(0, 10, 0, 20, 0, 30, 40)), options).data).toEqual(
    Uint8Array.of(10, 20, 30, 40),
  );
});
