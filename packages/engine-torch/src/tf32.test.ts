import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { createNetwork, createRandom, networkGraph } from '@bulwark/core';
import { startTiny } from '../../cli/src/train/testing.js';
import { convolution, filterGradient, type Sizes } from '../../core/test/wide-convolutions.js';
import { available, values } from '../test/kit.js';
import { optionsOn } from '../test/options.js';
import { torch } from './engine.js';
import { nativeInUse, startTorch } from './session.js';

type Factors = tf.Tensor[];
type Product = (...factors: Factors) => tf.Tensor;

/** The nearest number with 11 binary digits, the one farther from zero where two are; of normal numbers in the middle of their range. */
const rounded = (value: number): number => {
  if (value === 0) return value;
  const last = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return Math.sign(value) * Math.floor(Math.abs(value) / last + 0.5) * last;
};
const roundedTensor = (x: tf.Tensor): tf.Tensor => tf.tensor(Float32Array.from(x.dataSync(), rounded), x.shape);

const use = (how: 0 | 2): void => nativeInUse()!.useTf32(how);
/** A product of two factors and its gradients in both, for a gradient of its own. */
const lookAt = (product: Product, [a, b]: Factors, dy: tf.Tensor): number[][] =>
  [product(a!, b!), ...tf.grads(product)([a!, b!], dy)].map((each) => [...each.dataSync()]);

/** The largest difference, relative to the root mean square of what is expected. */
const apart = (found: ArrayLike<number>, expected: ArrayLike<number>): number => {
  const all = Array.from(expected);
  const scale = Math.sqrt(all.reduce((sum, each) => sum + each * each, 0) / all.length);
  return all.reduce((most, each, i) => Math.max(most, Math.abs(each - found[i]!) / scale), 0);
};

(available ? describe : describe.skip)('emulated TF32', () => {
  beforeAll(() => tf.setBackend('torch'));
  afterEach(() => use(0));

  it.each([
    ['what needs no more digits', 1 + 2 ** -10, 1 + 2 ** -10],
    ['less than half of the last digit', 1 + 2 ** -12, 1],
    ['half of it, away from zero', 1 + 2 ** -11, 1 + 2 ** -10],
    ['half of it above an odd digit, too', 1 + 2 ** -10 + 2 ** -11, 1 + 2 ** -9],
    ['half of it, below zero', -1 - 2 ** -11, -1 - 2 ** -10],
    ['more than half of it', 1 + 2 ** -11 + 2 ** -23, 1 + 2 ** -10],
    ['all digits, to the next power of two', 2 - 2 ** -23, 2],
    ['the largest number, which has none above it', (2 - 2 ** -23) * 2 ** 127, Infinity],
    ['the largest of TF32', (2 - 2 ** -10) * 2 ** 127, (2 - 2 ** -10) * 2 ** 127],
    ['numbers below the normal ones, with as many digits as are left', 2 ** -136 + 2 ** -137, 2 ** -135],
    ['the smallest number', 2 ** -149, 0],
    ['infinity', -Infinity, -Infinity],
    ['what is not a number', NaN, NaN],
  ])('rounds factors: %s', (_what, given, expected) => {
    use(2);
    const [x, one] = [tf.tensor2d([[given]]), tf.tensor2d([[1]])];
    const found = [tf.matMul(x, one), tf.matMul(one, x)].map((each) => each.dataSync()[0]);
    expect(found).toEqual([expected, expected]);
  });

  it('keeps what is not a number, whatever its bits', () => {
    use(2);
    const bits = Uint32Array.of(0x7f800001, 0x7fffffff, 0xffffffff, 0xff800001);
    const x = tf.tensor2d(new Float32Array(bits.buffer), [4, 1]);
    expect([...tf.matMul(x, tf.tensor2d([[1]])).dataSync()]).toEqual([NaN, NaN, NaN, NaN]);
  });

  it('multiplies matrices: float64 sums of rounded factors', () => {
    const [a, b] = [values(5, 40), values(40, 7)];
    const [left, right] = [a, b].map((each) => Array.from(each.dataSync(), rounded)) as [number[], number[]];
    const expected = Array.from({ length: 35 }, (_, i) => {
      const [row, column] = [Math.floor(i / 7), i % 7];
      return Array.from({ length: 40 }, (_, k) => left[row * 40 + k]! * right[k * 7 + column]!).reduce((x, y) => x + y);
    });
    expect(apart(tf.matMul(a, b).dataSync(), expected)).toBeGreaterThan(1e-4);
    use(2);
    expect(apart(tf.matMul(a, b).dataSync(), expected)).toBeLessThan(1e-6);
  });

  // the first ones have tiles enough for Winograd convolution
  it.each<Sizes>([
    { images: 11, height: 12, width: 12, from: 16, to: 16 },
    { images: 24, height: 7, width: 6, from: 32, to: 48 },
    { images: 2, height: 7, width: 6, from: 3, to: 5 },
  ])('convolves, $from to $to channels, with gradients: float64 sums of rounded factors', (sizes) => {
    const { images, height, width, from, to } = sizes;
    const [x, w] = [values(images, height, width, from), values(3, 3, from, to)];
    const dy = values(images, height, width, to);
    const [images64, filter, gradient] = [x, w, dy].map((each) => Float64Array.from(each.dataSync(), rounded)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const expected = [
      convolution(images64, filter, sizes),
      convolution(gradient, filter, sizes, true),
      filterGradient(images64, gradient, sizes),
    ];
    const product: Product = (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same');
    lookAt(product, [x, w], dy).forEach((each, i) => expect(apart(each, expected[i]!)).toBeGreaterThan(1e-4));
    use(2);
    lookAt(product, [x, w], dy).forEach((each, i) => expect(apart(each, expected[i]!)).toBeLessThan(2e-5));
  });

  it.each<[string, Product, number[], number[]]>([
    ['matrices, turned', (a, b) => tf.matMul(a, b, true, true), [9, 5], [7, 9]],
    ['batches of matrices', (a, b) => tf.matMul(a, b), [3, 5, 9], [3, 9, 4]],
    [
      'images, stride 2',
      (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 2, 'same'),
      [2, 8, 8, 5],
      [3, 3, 5, 4],
    ],
    ['images, 1x1, stride 2', (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 2, 'valid'), [2, 8, 8, 5], [1, 1, 5, 4]], // prettier-ignore
    ['channels one by one', (a, b) => tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'), [2, 8, 8, 5], [3, 3, 5, 2]], // prettier-ignore
    ['volumes', (a, b) => tf.conv3d(a as tf.Tensor5D, b as tf.Tensor5D, 1, 'same'), [2, 4, 5, 6, 2], [3, 3, 3, 2, 3]],
  ])('computes in float32 with rounded factors: %s', (_what, product, shapeA, shapeB) => {
    const factors = [values(...shapeA), values(...shapeB)];
    const dy = values(...product(factors[0]!, factors[1]!).shape);
    const exact = lookAt(product, factors, dy);
    const expected = lookAt(product, factors.map(roundedTensor), roundedTensor(dy));
    use(2);
    const found = lookAt(product, factors, dy);
    expect(found).toEqual(expected);
    found.forEach((each, i) => expect(each).not.toEqual(exact[i]));
  });

  it('multiplies over named axes, and leaves sums over them as they are', () => {
    const [a, b] = [values(5, 9), values(9, 4)];
    const expected = tf.einsum('ij,jk->ik', roundedTensor(a), roundedTensor(b)).dataSync();
    const sums = tf.einsum('ij->i', a).dataSync();
    use(2);
    expect(tf.einsum('ij,jk->ik', a, b).dataSync()).toEqual(expected);
    expect(tf.einsum('ij->i', a).dataSync()).toEqual(sums);
  });

  const network = () =>
    createNetwork(
      networkGraph([12, 12, 3], (g) => {
        const stem = g.relu(g.conv('conv1', g.input, { filters: 64, kernel: 3, bias: true }));
        const wide = g.conv('conv2', stem, { filters: 64, kernel: 3 });
        const down = g.conv('conv3', g.relu(g.add(wide, stem)), { filters: 16, kernel: 3, stride: 2 });
        return g.linear('fc', g.flatten(down), { units: 5 });
      }),
      { name: 'small', random: createRandom(3, 'initialisation') },
    );
  const images = createRandom(5, 'images').uniform<tf.Rank.R4>([11, 12, 12, 3]);
  const dLogits = createRandom(6, 'gradients').uniform<tf.Rank.R2>([11, 5]);
  const numbersOf = (
    model: ReturnType<typeof network>,
    request: { wrt: 'images' | 'all'; features?: readonly string[] },
  ): number[][] => {
    const pass = model.pass([images], { mode: 'eval', ...request });
    const back = pass.pullback([dLogits]);
    const parameters =
      request.wrt === 'all' ? [...model.parameters.keys()].map((name) => back.parameters.get(name)!) : [];
    const tensors = [pass.logits[0]!, ...back.images, ...parameters];
    const numbers = tensors.map((each) => [...each.dataSync()]);
    pass.dispose();
    tf.dispose([...back.images, ...parameters]);
    return numbers;
  };

  it.each(['images', 'all'] as const)('is the same in whole passes and op by op, gradients of %s', (wrt) => {
    const model = network();
    const exact = numbersOf(model, { wrt });
    use(2);
    const [whole, opByOp] = [numbersOf(model, { wrt }), numbersOf(model, { wrt, features: ['conv2'] })];
    whole.forEach((each, i) => expect(apart(each, opByOp[i]!)).toBeLessThan(1e-5));
    // all but the last bias's gradient, which is a sum of gradients, not of products
    whole.slice(0, 7).forEach((each, i) => expect(apart(each, exact[i]!)).toBeGreaterThan(1e-4));
    model.dispose();
  });

  it('starts and ends for a network that keeps transformed filters and recorded passes', () => {
    const [model, unused] = [network(), network()];
    const look = () => Array.from({ length: 5 }, () => numbersOf(model, { wrt: 'images' }));
    nativeInUse()!.useRecordings(2);
    const exact = look();
    use(2);
    const emulated = look();
    expect(emulated[0]).toEqual(numbersOf(unused, { wrt: 'images' }));
    use(0);
    expect(look()).toEqual(exact);
    for (const numbers of [exact, emulated]) expect(numbers).toEqual(numbers.map(() => numbers[0]));
    expect(apart(emulated[0]![0]!, exact[0]![0]!)).toBeGreaterThan(1e-5);
    nativeInUse()!.useRecordings(0);
    [model, unused].forEach((each) => each.dispose());
  });
});

(available ? describe : describe.skip)('a session', () => {
  afterAll(() => startTorch(optionsOn('cpu')));

  it('is without TF32 by default', async () => {
    expect(torch.options.parse({})).toMatchObject({ tf32: false });
    const session = await startTorch(optionsOn('cpu'));
    expect([session.arithmetic, session.remarks]).toEqual([undefined, []]);
    expect(tf.matMul(tf.tensor2d([[1 + 2 ** -23]]), tf.tensor2d([[1]])).dataSync()[0]).toBe(1 + 2 ** -23);
  });
  it('says that TF32 is emulated', async () => {
    const session = await startTorch({ ...optionsOn('cpu'), tf32: 'emulated' });
    expect(session).toMatchObject({ arithmetic: 'products in emulated TF32', remarks: [] });
    expect(session.description).toContain('products in emulated TF32');
    expect(tf.matMul(tf.tensor2d([[1 + 2 ** -23]]), tf.tensor2d([[1]])).dataSync()[0]).toBe(1);
  });
  it('has the summary and the folder of a run say so', async () => {
    const run = await startTiny({ engine: { use: 'torch', threads: 1, tf32: 'emulated' }, epochs: 1 });
    const { summary } = await run.train();
    const { frozen } = run.folder;
    run.dispose();
    expect([summary?.arithmetic, frozen.arithmetic]).toEqual(Array(2).fill('products in emulated TF32'));
  });
  it('says that a processor has no TF32', async () => {
    const session = await startTorch({ ...optionsOn('cpu'), tf32: true });
    expect([session.arithmetic, session.remarks]).toEqual([undefined, [expect.stringMatching(/no effect on processors; `tf32: emulated`/)]]); // prettier-ignore
    expect(tf.matMul(tf.tensor2d([[1 + 2 ** -23]]), tf.tensor2d([[1]])).dataSync()[0]).toBe(1 + 2 ** -23);
  });
});
