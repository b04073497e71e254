import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { allImages, countOf, imagesAt, isLoaded, rangeOf, type ImageSet } from '@bulwark/core';
import { zipSync } from 'fflate';
import { writeNpy, type NpyArray } from '../../formats/npy.js';
import { expectInDocs, formsTable } from '../../../../core/test/docs-table.js';
import { readArraySet, type ArrayOptions } from '../array-set.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'bulwark-arrays-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** An npy file with any header. */
const npy = (descr: string, shape: readonly number[], content: Uint8Array, fortran = false): Uint8Array => {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${dims}), }`.padEnd(
    117,
  );
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(text.length + 1, 8);
  return new Uint8Array(Buffer.concat([head, Buffer.from(`${text}\n`), content]));
};
const bytesOf = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const bigEndian = (values: readonly number[]) => {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => bytes.writeBigInt64BE(BigInt(value), 8 * i));
  return new Uint8Array(bytes);
};
const text = (names: readonly string[], length: number) => {
  const codes = new Uint32Array(names.length * length);
  names.forEach((name, i) => [...name].forEach((letter, k) => (codes[i * length + k] = letter.codePointAt(0)!)));
  return bytesOf(codes);
};

const labels = [2, 0, 1, 2];
/** Four images of 2x3x1. */
const pixels = Uint8Array.from({ length: 24 }, (_, i) => i);
const image = npy('|u1', [4, 2, 3, 1], pixels);
const label = npy('<i8', [4], bytesOf(BigInt64Array.from(labels, BigInt)));
/** The same images, the first index fastest. */
const columns = Uint8Array.from({ length: 24 }, (_, i) => {
  const [n, y, x] = [i % 4, Math.floor(i / 4) % 2, Math.floor(i / 8)];
  return n * 6 + y * 3 + x;
});

const put = (name: string, content: Uint8Array) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const npz = (arrays: Record<string, Uint8Array>, level: 0 | 6 = 0) =>
  put(
    'set.npz',
    zipSync(Object.fromEntries(Object.entries(arrays).map(([name, bytes]) => [`${name}.npy`, bytes])), { level }),
  );
const read = (path: Parameters<typeof readArraySet>[0], options: Partial<ArrayOptions> = {}) =>
  readArraySet(path, { classes: 3, ...options });

interface Form {
  /** A row of the table in docs/data.md. */
  readonly what: string;
  readonly set: () => Promise<ImageSet>;
  readonly labels?: readonly number[];
  readonly pixels?: readonly number[];
  readonly refused?: RegExp;
}

const forms: readonly Form[] = [
  { what: 'npz, stored (`np.savez`)', set: () => read(npz({ image, label })) },
  { what: 'npz, compressed (`np.savez_compressed`)', set: () => read(npz({ image, label }, 6)) },
  { what: 'a pair of npy files', set: () => read({ images: put('x.npy', image), labels: put('y.npy', label) }) },
  {
    what: 'several files as one set',
    set: () => read([npz({ image, label }), { images: put('x.npy', image), labels: put('y.npy', label) }]),
    labels: [...labels, ...labels],
    pixels: [...pixels, ...pixels],
  },
  { what: 'Fortran order', set: () => read(npz({ image: npy('|u1', [4, 2, 3, 1], columns, true), label })) },
  { what: 'big-endian labels', set: () => read(npz({ image, label: npy('>i8', [4], bigEndian(labels)) })) },
  {
    what: 'labels as floats that are whole',
    set: () => read(npz({ image, label: npy('<f8', [4], bytesOf(Float64Array.from(labels))) })),
  },
  {
    what: 'one-hot labels',
    set: () =>
      read(npz({ image, label: npy('<f8', [4, 3], bytesOf(Float64Array.of(0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1))) })),
  },
  {
    what: 'labels as text, with `classes: [a, b, c]`',
    set: () =>
      read(npz({ image, label: npy('<U4', [4], text(['cow', 'ant', 'bee', 'cow'], 4)) }), {
        classes: ['ant', 'bee', 'cow'],
      }),
  },
  {
    what: 'labels as text, without names of classes',
    set: () => read(npz({ image, label: npy('<U4', [4], text(['cow', 'ant', 'bee', 'cow'], 4)) })),
    refused: /labels are text: ant, bee, cow.*classes: \[ant, bee, cow\]/,
  },
  {
    what: 'soft or mixed labels',
    set: () => read(npz({ image, label: npy('<f8', [4, 3], bytesOf(Float64Array.from({ length: 12 }, () => 1 / 3))) })),
    refused: /the labels of image 0 are mixed/,
  },
  {
    what: 'an array of objects or text that nobody asked for',
    set: () =>
      read(
        npz({ image, label, meta: npy('|O', [], new Uint8Array(9)), names: npy('<U3', [3], text(['a', 'b', 'c'], 3)) }),
      ),
  },
  {
    what: 'labels under a misspelt name',
    set: () => read(npz({ image, Label: label })),
    refused: /no labels under label.*it has image, Label.*labelKey: Label/,
  },
  { what: 'the same, with `labelKey: Label`', set: () => read(npz({ image, Label: label }), { labelKey: 'Label' }) },
  { what: 'no labels at all', set: () => read(npz({ image })), labels: [-1, -1, -1, -1] },
  {
    what: 'some labels -1',
    set: () => read(npz({ image, label: npy('|i1', [4], Uint8Array.of(2, 255, 1, 255)) })),
    labels: [2, -1, 1, -1],
  },
  {
    what: 'labels that count from 1',
    set: () => read(npz({ image, label: npy('|u1', [4], Uint8Array.of(3, 1, 2, 3)) })),
    refused: /label 3 of image 0 is outside \[0, 3\).*subtract 1/,
  },
  {
    what: 'labels that are no whole numbers',
    set: () => read(npz({ image, label: npy('<f8', [4], bytesOf(Float64Array.of(0, 0.5, 1, 2))) })),
    refused: /label 0\.5 of image 1 is no whole number.*labelKey/,
  },
  ...[
    ['x_train', 'y_train', 'x_test', 'y_test'],
    ['X_train', 'Y_train', 'X_test', 'Y_test'],
    ['train_images', 'train_labels', 'test_images', 'test_labels'],
  ].map(([x, y, xTest, yTest]): Form => ({
    what: `training and test set in one file: \`${x}\`, \`${y}\`, \`${xTest}\`, \`${yTest}\``,
    set: async () => {
      const other = npy('|u1', [1], Uint8Array.of(1));
      const path = npz({
        [xTest!]: npy('|u1', [1, 2, 3, 1], pixels.slice(6, 12)),
        [yTest!]: other,
        [x!]: image,
        [y!]: label,
      });
      expect([...(await read(path, { part: 'test' })).labels]).toEqual([1]);
      return read(path, { part: 'train' });
    },
  })),
  {
    what: 'boolean images: black and white',
    set: () =>
      read(
        npz({
          image: npy(
            '|b1',
            [4, 2, 3, 1],
            pixels.map((value) => value % 2),
          ),
          label,
        }),
      ),
    pixels: [...pixels].map((value) => 255 * (value % 2)),
  },
  {
    what: 'images as floats',
    set: () => read(npz({ image: npy('<f4', [4, 2, 3, 1], bytesOf(new Float32Array(24))), label })),
    refused: /images are f4; expected bytes.*np\.uint8/,
  },
  {
    what: 'channels first',
    set: () =>
      read(npz({ image: npy('|u1', [1, 3, 2, 8], new Uint8Array(48)), label: npy('|u1', [1], Uint8Array.of(0)) })),
    refused: /channels come last.*transpose/,
  },
  { what: 'an npy file alone', set: () => read(put('x.npy', image)), refused: /holds one array.*images: x\.npy/ },
  ...[
    ['a pointer of git-lfs', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', /git-lfs, .*git lfs pull/],
    ['a pointer of git-annex', '/annex/objects/SHA256E-s1--0.npz\n', /git-annex, .*git annex get/],
    ['a pointer of DVC', 'outs:\n- md5: 0\n', /DVC, .*dvc pull/],
    ["a web page (a cloud drive's)", '<!DOCTYPE html><html><head>', /a web page, .*in a browser/],
    ["a server's answer", '<?xml version="1.0"?><Error><Code>AccessDenied', /in XML, .*expired/],
  ].map(([what, content, refused]): Form => ({
    what: what as string,
    set: () => read(put('set.npz', new Uint8Array(Buffer.from(content as string)))),
    refused: refused as RegExp,
  })),
  {
    what: 'a shape that no computer holds',
    set: () => read(npz({ image: npy('|u1', [2 ** 40, 2 ** 40, 0], new Uint8Array(0)), label })),
    refused: /which no computer holds/,
  },
  {
    what: 'an unknown type (`<toString`)',
    set: () => read(npz({ image: npy('<toString', [4, 2, 3, 1], pixels), label })),
    refused: /images are toString; expected bytes/,
  },
];

describe('arrays as people have them', () => {
  it.each(forms.map((form) => [form.what, form] as const))('%s', async (_, form) => {
    const found = await form.set().catch((error: Error & { hint?: string }) => `${error.message} / ${error.hint}`);
    if (form.refused) {
      expect(found).not.toMatch(/data fetch/); // own data cannot be fetched
      return expect(found).toMatch(form.refused);
    }
    const set = found as ImageSet;
    expect([...set.labels]).toEqual(form.labels ?? labels);
    expect([...allImages(set)]).toEqual(form.pixels ?? [...pixels]);
    expect(set.shape).toEqual([2, 3, 1]);
  });

  it('two entries of an archive may not share their bytes', async () => {
    const path = npz({ image, label });
    const bytes = readFileSync(path);
    const entry = bytes.lastIndexOf(Buffer.from('PK\x01\x02'));
    bytes.writeUInt32LE(0, entry + 42);
    writeFileSync(path, bytes);
    await expect(read(path)).rejects.toThrow(/shares its bytes with another entry|directory calls it/);
  });

  it('docs/data.md lists them (UPDATE_DOCS=1 writes it)', () =>
    expectInDocs(
      'data.md',
      'arrays.test.ts',
      formsTable(forms.map(({ what, refused }) => [what, refused ? 'refused' : 'read'])),
    ));
});

describe('a set larger than memory', () => {
  const million = 1e6;
  const header = (shape: readonly number[]): NpyArray => ({ shape, data: new Uint8Array(0) });
  /** Zeros that take no room on the disk. */
  const sparse = (name: string, shape: readonly number[]) => {
    const path = put(name, writeNpy(header(shape)));
    truncateSync(path, 128 + shape.reduce((size, n) => size * n, 1));
    return path;
  };

  it('of 5 million images is read by index, and only labels are held', async () => {
    const set = await read({
      images: sparse('big.npy', [5 * million, 32, 32, 3]),
      labels: sparse('big-labels.npy', [5 * million]),
    });
    expect([countOf(set), isLoaded(set)]).toEqual([5 * million, false]);
    expect(imagesAt(set, [0, 5 * million - 1])).toEqual(new Uint8Array(2 * 3072));
    expect(countOf(rangeOf(set, 4 * million))).toBe(million);
  });

  it('of 20 million images in two files, shuffled and split, needs less than 1 GB of a process', () => {
    const files = ['a', 'b'].map((name) => ({
      images: sparse(`${name}.npy`, [10 * million, 32, 32, 3]),
      labels: sparse(`${name}-labels.npy`, [10 * million]),
    }));
    // Linux counts the parent's size into a child's maxRSS, and a worker of tests may be large; VmHWM is the child's own
    const script = `
      import { existsSync, readFileSync } from 'node:fs';
      import { countOf, createRandom, imagesAt, selected } from '@bulwark/core';
      import { readArraySet } from '@bulwark/datasets';
      const set = await readArraySet(${JSON.stringify(files)}, { classes: 10 });
      const order = createRandom(1, 'order').permutation(countOf(set));
      const part = selected(set, order.subarray(0, 19e6));
      const bytes = imagesAt(part, [0, 19e6 - 1]);
      const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
      const kilobytes = Number(/^VmHWM:\\s+(\\d+) kB/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS);
      console.log(JSON.stringify({ count: countOf(part), bytes: bytes.length, rss: kilobytes / 1024 }));
    `;
    const options = { cwd: fileURLToPath(new URL('../../../', import.meta.url)), encoding: 'utf8' } as const;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
    expect(stderr).toBe('');
    const { count, bytes, rss } = JSON.parse(stdout) as { count: number; bytes: number; rss: number };
    expect([count, bytes]).toEqual([19 * million, 2 * 3072]);
    expect(rss).toBeLessThan(1000);
  });
});
