import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { registerWasmKernels } from './register.js';

const operations = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
} as const;

const values = (shape: number[], seed: number): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(i * 1.7 + seed) + 1.5),
    shape,
  );

/** Value number `index` of a tensor of `shape` when it is spread over `full`. */
function spread(tensor: tf.Tensor, full: readonly number[]): (index: number) => number {
  const data = tensor.dataSync();
  const sides = [...Array<number>(full.length - tensor.rank).fill(1), ...tensor.shape];
  return (index) => {
    let [rest, at, stride] = [index, 0, 1];
    for (let axis = full.length - 1; axis >= 0; axis--) {
      const place = rest % full[axis]!;
      rest = Math.floor(rest / full[axis]!);
      if (sides[axis]! > 1) at += place * stride;
      stride *= sides[axis]!;
    }
    return data[at]!;
  };
}

beforeAll(async () => {
  await tf.setBackend('wasm');
  registerWasmKernels();
});

describe('arithmetic on wasm gives the nearest float of every result', () => {
  const cases: [number[], number[]][] = [
    [[40_003], [40_003]],
    [[40_003], []],
    [[], [40_003]],
    [
      [1, 1],
      [201, 203],
    ],
    [[5, 19, 23, 17], [17]],
    [
      [1, 1, 1, 33],
      [5, 19, 23, 33],
    ],
    // the backend's own: other broadcasts, short rows, small tensors
    [
      [5, 1, 1, 33],
      [5, 19, 23, 33],
    ],
    [[20_000, 3], [3]],
    [
      [300, 1],
      [1, 301],
    ],
    [[7], [7]],
  ];
  for (const [name, operation] of Object.entries(operations))
    it.each(cases)(`${name} of %j and %j`, (shapeA, shapeB) => {
      const [a, b] = [values(shapeA, 1), values(shapeB, 2)];
      const y = tf[name as keyof typeof operations](a, b);
      const full = tf.backend_util.assertAndGetBroadcastShape(shapeA, shapeB);
      expect(y.shape).toEqual(full);
      const [atA, atB] = [spread(a, full), spread(b, full)];
      const expected = Float32Array.from({ length: y.size }, (_, i) => operation(atA(i), atB(i)));
      expect(Buffer.from((y.dataSync() as Float32Array).slice().buffer).equals(Buffer.from(expected.buffer))).toBe(
        true,
      );
      tf.dispose([a, b, y]);
    });

  it('of integers, as before', () => {
    const a = tf.range(0, 20_000, 1, 'int32');
    const sum = tf.add(a, a);
    expect(sum.dtype).toBe('int32');
    expect(sum.dataSync()[19_999]).toBe(39_998);
    tf.dispose([a, sum]);
  });

  it('keeps what is not a number, and infinities', () => {
    const a = tf.tile(tf.tensor1d([NaN, Infinity, -Infinity, 0, -0]), [4000]);
    const y = tf.add(a, 1);
    expect([...y.dataSync().slice(0, 5)]).toEqual([NaN, Infinity, -Infinity, 1, 1]);
    tf.dispose([a, y]);
  });
});
