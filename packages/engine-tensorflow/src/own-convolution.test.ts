import { beforeAll, describe, expect, it } from '@jest/globals';
import { Worker } from 'node:worker_threads';
import { useEngine } from '@bulwark/core/engine';
import * as tf from '@tensorflow/tfjs-core';
import { sweepWideConvolutions } from '../../core/test/wide-convolutions.js';
import type { NativeBinding, NodeBackend } from './binding.js';
import { tensorflow } from './engine.js';
import { loadTensorflow } from './load.js';
import { wrongOwnConvolution } from './numerics.js';
import { loadOwnConvolution } from './own-convolution.js';

const load = await loadTensorflow();
const own = load.available ? load.engine.own : undefined;
if (!own) console.warn('the tensorflow engine has no ops of our own here: they are not tested');
const describeWhereItIs = own ? describe : describe.skip;

const wave = (shape: number[], from: number): tf.Tensor => {
  const size = tf.util.sizeFromShape(shape);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(from + 1.3 * i + 0.01 * i * i)),
    shape,
  );
};

const library = (): NodeBackend => tf.backend() as unknown as NodeBackend;
const filterOf = (filter: tf.Tensor): tf.Tensor => library().executeSingleOutput('BulwarkFilter', [], [filter]);

function convolve(
  x: tf.Tensor,
  filter: tf.Tensor,
  options: { bias?: tf.Tensor; other?: tf.Tensor; relu?: boolean } = {},
) {
  const { bias = tf.tensor1d([]), other = tf.tensor1d([]), relu = false } = options;
  const attribute = { name: 'relu', type: library().binding.TF_ATTR_BOOL, value: relu };
  return library().executeSingleOutput('BulwarkConvolution', [attribute], [x, filter, bias, other]);
}

/** By definition, in float64, with one zero around; filters [3, 3, in, out]. */
function exact(x: tf.Tensor, filter: tf.Tensor): Float64Array {
  const [images, height, width, from] = x.shape as [number, number, number, number];
  const to = filter.shape[3]!;
  const [pixels, weights] = [x.dataSync(), filter.dataSync()];
  const y = new Float64Array(images * height * width * to);
  for (let pixel = 0; pixel < images * height * width; pixel++)
    for (let tap = 0; tap < 9; tap++) {
      const [down, across] = [Math.floor(tap / 3) - 1, (tap % 3) - 1];
      const [row, column] = [(Math.floor(pixel / width) % height) + down, (pixel % width) + across];
      if (row < 0 || row >= height || column < 0 || column >= width) continue;
      for (let i = 0; i < from; i++) {
        const value = pixels[(pixel + down * width + across) * from + i]!;
        const at = (tap * from + i) * to;
        for (let o = 0; o < to; o++) y[pixel * to + o]! += value * weights[at + o]!;
      }
    }
  return y;
}

function expectClose(found: tf.Tensor, expected: ArrayLike<number>): void {
  const values = found.dataSync();
  expect(values).toHaveLength(expected.length);
  const scale = Array.from(expected).reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  const worst = Array.from(expected).reduce((most, each, i) => Math.max(most, Math.abs(each - values[i]!)), 0);
  expect(worst / scale).toBeLessThan(1e-5); // NaN is never less
}

describeWhereItIs('our own convolution in TensorFlow', () => {
  beforeAll(() => useEngine('tensorflow', { engines: [tensorflow] }));

  it.each([
    { images: 1, height: 5, width: 7, from: 64, to: 96 },
    { images: 33, height: 5, width: 7, from: 16, to: 32 },
    { images: 2, height: 4, width: 4, from: 256, to: 64 },
    { images: 3, height: 1, width: 2, from: 16, to: 256 },
  ])('is that of $images of $height x $width, $from to $to channels, and adds and cuts', (sizes) => {
    const { images, height, width, from, to } = sizes;
    tf.tidy(() => {
      const [x, filter, bias] = [wave([images, height, width, from], 1), wave([3, 3, from, to], 2), wave([to], 3)];
      const other = wave([images, height, width, to], 4);
      const y = exact(x, filter);
      const transformed = filterOf(filter);
      expectClose(convolve(x, transformed), y);
      const [shifts, others] = [bias.dataSync(), other.dataSync()];
      expectClose(
        convolve(x, transformed, { bias }),
        y.map((each, i) => each + shifts[i % to]!),
      );
      const finished = y.map((each, i) => Math.max(0, each + shifts[i % to]! + others[i]!));
      for (let again = 0; again < 2; again++)
        expectClose(convolve(x, transformed, { bias, other, relu: true }), finished); // and leaves `other` as it is
    });
  });

  it('has the gradient that is its adjoint', () => {
    tf.tidy(() => {
      const [filter, dy] = [wave([3, 3, 48, 80], 2), wave([5, 6, 9, 80], 3)];
      const dx = library().executeSingleOutput('BulwarkConvolutionGradient', [], [dy, filterOf(filter)]);
      const mirrored = tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]);
      expectClose(dx, exact(dy, mirrored));
    });
  });

  it('has the gradient in the filter, also where there is no image', () => {
    tf.tidy(() => {
      const [x, dy] = [wave([3, 5, 9, 32], 1), wave([3, 5, 9, 48], 2)];
      const found = (images: tf.Tensor, gradient: tf.Tensor) =>
        library().executeSingleOutput('BulwarkFilterGradient', [], [images, gradient]);
      // along a direction it is what the convolution with that direction makes of dy
      const gradient = found(x, dy);
      expect(gradient.shape).toEqual([3, 3, 32, 48]);
      const direction = wave([3, 3, 32, 48], 5);
      const cotangent = dy.dataSync();
      const along = exact(x, direction).reduce((sum, each, i) => sum + each * cotangent[i]!, 0);
      const given = direction.dataSync();
      const product = Array.from(gradient.dataSync()).reduce((sum, each, i) => sum + each * given[i]!, 0);
      expect(Math.abs(product - along) / Math.abs(along)).toBeLessThan(1e-4);
      const nothing = found(tf.zeros([0, 5, 9, 32]), tf.zeros([0, 5, 9, 48]));
      expect(nothing.dataSync().every((each) => each === 0)).toBe(true);
      expect(() => found(x, tf.zeros([2, 5, 9, 48]))).toThrow(/the gradient is of other images/);
    });
  });

  it('takes no images at all', () => {
    tf.tidy(() =>
      expect(convolve(tf.zeros([0, 4, 4, 16]), filterOf(wave([3, 3, 16, 32], 1))).shape).toEqual([0, 4, 4, 32]),
    );
  });

  it('refuses what does not fit, in one clear error', () => {
    tf.tidy(() => {
      const transformed = filterOf(wave([3, 3, 16, 32], 1));
      const x = tf.zeros([1, 4, 4, 16]);
      expect(() => filterOf(tf.zeros([3, 3, 3, 16]))).toThrow(/numbers of channels cannot be/);
      expect(() => filterOf(tf.zeros([5, 5, 16, 16]))).toThrow(/a filter is \[3, 3, in, out\]/);
      expect(() => convolve(tf.zeros([1, 4, 4, 32]), transformed)).toThrow(/the filter is for other channels/);
      expect(() => convolve(x, tf.zeros([36, 16]))).toThrow(/comes from BulwarkFilter/);
      expect(() => convolve(x, transformed, { bias: tf.zeros([16]) })).toThrow(/a bias is \[out\], or empty/);
      expect(() => convolve(x, transformed, { other: tf.zeros([2, 4, 4, 32]) })).toThrow(/other images are/);
    });
  });

  it('serves worker threads, also after one of them has ended', async () => {
    const program = `
      const { parentPort } = require('node:worker_threads');
      (async () => {
        const { loadTensorflow } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)});
        const { engine } = await loadTensorflow();
        parentPort.postMessage({ own: engine.own !== undefined, remarks: engine.remarks });
      })();`;
    const answer = () =>
      new Promise((resolve, reject) => {
        let said: unknown;
        const worker = new Worker(program, { eval: true });
        worker
          .on('message', (message: unknown) => (said = message))
          .on('error', reject)
          .on('exit', () => resolve(said));
      });
    const fine = { own: true, remarks: [] };
    expect(await Promise.all([answer(), answer()])).toEqual([fine, fine]);
    expect(await answer()).toEqual(fine);
    tf.tidy(() => {
      const [x, filter] = [wave([2, 5, 5, 16], 1), wave([3, 3, 16, 16], 2)];
      expectClose(convolve(x, filterOf(filter)), exact(x, filter));
    });
  });

  describe('in passes', () => sweepWideConvolutions('tensorflow'));
});

describe('a library without our own ops', () => {
  it('is one whose ops compute wrong numbers', () => {
    const constant = {
      createTensor: () => 0,
      deleteTensor: () => {},
      executeOp: (name: string) => [{ id: name === 'Conv2D' ? 1 : 0, shape: [] }],
      tensorDataSync: (id: number) => new Float32Array(2 * 5 * 7 * 32).fill(id),
    } as unknown as NativeBinding;
    expect(wrongOwnConvolution(constant)).toMatch(/^BulwarkConvolution is off by \d/);
  });

  it('says how to get them', () => {
    const { own: none, lack } = loadOwnConvolution('/no/such/folder', {} as NativeBinding, 1);
    expect(none).toBeUndefined();
    expect(lack).toMatch(/bulwark engine install tensorflow --force/);
  });
});
