import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { decodeImage } from './index.js';

interface Written {
  readonly file: string;
  readonly size: readonly [number, number];
  /** Of the RGB bytes that Pillow decodes. */
  readonly sha256: string;
}
const { images } = JSON.parse(readFileSync(new URL('../../../fixtures/images.json', import.meta.url), 'utf8')) as {
  images: Record<string, Written>;
};
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
const decode = (bytes: Uint8Array) => decodeImage(bytes, { file: 'x', channels: 3 });

/** A BMP with the header of 40 bytes, written by hand from its description. */
const bmp = (options: { size: [number, number]; bits: number; compression?: number; pixels: number[] }) => {
  const { size, bits, compression = 0, pixels } = options;
  const bytes = Buffer.alloc(54 + pixels.length);
  bytes.write('BM');
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(size[0], 18);
  bytes.writeInt32LE(size[1], 22);
  bytes.writeUInt16LE(bits, 28);
  bytes.writeUInt32LE(compression, 30);
  bytes.set(pixels, 54);
  return new Uint8Array(bytes);
};

describe('images', () => {
  it.each(Object.entries(images))('decode to the pixels that Pillow has: %s', (_, { file, size, sha256 }) => {
    const { data, shape } = decode(bytesOf(file));
    expect(shape).toEqual([size[1], size[0], 3]);
    expect(createHash('sha256').update(data).digest('hex')).toBe(sha256);
  });

  it('of 16 bits a pixel, and those that begin at the top', () => {
    // red, then blue, 5 bits each
    const colours = decode(bmp({ size: [2, 1], bits: 16, pixels: [0x00, 0x7c, 0x1f, 0x00] }));
    expect([...colours.data]).toEqual([255, 0, 0, 0, 0, 255]);
    const rows = [1, 2, 3, 0, 4, 5, 6, 0];
    expect([...decode(bmp({ size: [1, -2], bits: 24, pixels: rows })).data]).toEqual([3, 2, 1, 6, 5, 4]);
    expect([...decode(bmp({ size: [1, 2], bits: 24, pixels: rows })).data]).toEqual([6, 5, 4, 3, 2, 1]);
  });

  it.each([
    ['a compressed BMP', bmp({ size: [1, 1], bits: 8, compression: 1, pixels: [0, 0] }), /compressed BMP.*kind 1/],
    ['a BMP that claims to be enormous', bmp({ size: [1e6, 1e6], bits: 24, pixels: [] }), /1000000x1000000 pixels/],
    ['a GIF', Buffer.from('GIF89a'), /a GIF image; PNG, JPEG/],
    ['a TIFF', Buffer.from('II*\0'), /a TIFF image/],
    ['a web page', Buffer.from('<!DOCTYPE html><html>'), /a web page/],
    ['a git-lfs pointer', Buffer.from('version https://git-lfs.github.com/spec/v1'), /pointer of git-lfs/],
    ['a text', Buffer.from('hello'), /no image/],
  ])('refuse %s by its name', (_, bytes, message) => {
    expect(() => decode(new Uint8Array(bytes))).toThrow(message);
  });

  it('refuse a JPEG with thousands of scans before decoding it', () => {
    const whole = bytesOf(images['JPEG, progressive']!.file);
    const scan = whole.findIndex((byte, i) => byte === 0xff && whole[i + 1] === 0xda);
    const head = whole.subarray(0, scan);
    const one = whole.subarray(scan, scan + 2 + whole[scan + 3]!);
    const many = Buffer.concat([head, ...Array.from({ length: 5000 }, () => one)]);
    expect(() => decode(new Uint8Array(many))).toThrow(/scans of \d+ pixels/);
  });

  it('refuse every truncation', () => {
    for (const { file } of Object.values(images)) {
      const whole = bytesOf(file);
      for (let length = 0; length < whole.length / 2; length += 41)
        expect(() => decode(whole.subarray(0, length))).toThrow(expect.objectContaining({ code: 'DATA_CORRUPT' }));
    }
  });
});
