import { afterAll, beforeAll, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { createNetwork, type Network } from '../src/classifier/index.js';
import { networkGraph } from '../src/network/index.js';
import { createRandom } from '../src/random.js';

/** 3x3 convolutions with so many channels that native engines compute them by transforms. */
export interface Sizes {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly from: number;
  readonly to: number;
}

const classes = 4;

/** Convolution, norm, an addition and a ReLU, which passes of evaluation do at once; a second convolution has a bias and nothing else. */
const graphOf = ({ height, width, from, to }: Sizes) =>
  networkGraph([height, width, from], (build) => {
    const normed = build.batchNorm('n1', build.conv('c1', build.input, { filters: from, kernel: 3 }));
    const joined = build.relu(build.add(normed, build.input));
    const wide = build.conv('c2', joined, { filters: to, kernel: 3, bias: true });
    return build.linear('fc', build.globalAveragePool(wide), { units: classes });
  });

const wave = (length: number, from: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(from + 1.3 * i + 0.01 * i * i));

/** Pairs of a pixel of the output and a pixel of the images that it sees through a tap of a 3x3 filter, one zero around. */
function eachTap({ images, height, width }: Sizes, visit: (pixel: number, seen: number, tap: number) => void): void {
  for (let pixel = 0; pixel < images * height * width; pixel++) {
    const [row, column] = [Math.floor(pixel / width) % height, pixel % width];
    for (let tap = 0; tap < 9; tap++) {
      const [down, across] = [Math.floor(tap / 3) - 1, (tap % 3) - 1];
      const inside = row + down >= 0 && row + down < height && column + across >= 0 && column + across < width;
      if (inside) visit(pixel, pixel + down * width + across, tap);
    }
  }
}

/** A convolution, or with `transposed` its gradient in the images; filters [3, 3, in, out]; sums are float64. */
export function convolution(
  x: Float64Array,
  filter: ArrayLike<number>,
  sizes: Sizes,
  transposed = false,
): Float64Array {
  const { images, height, width, from, to } = sizes;
  const y = new Float64Array(images * height * width * (transposed ? from : to));
  eachTap(sizes, (pixel, seen, tap) => {
    for (let i = 0; i < from; i++)
      for (let o = 0; o < to; o++) {
        const weight = filter[(tap * from + i) * to + o]!;
        if (transposed) y[seen * from + i]! += x[pixel * to + o]! * weight;
        else y[pixel * to + o]! += x[seen * from + i]! * weight;
      }
  });
  return y;
}

/** The gradient in the filter. */
export function filterGradient(x: Float64Array, dy: Float64Array, sizes: Sizes): Float64Array {
  const { from, to } = sizes;
  const gradient = new Float64Array(9 * from * to);
  eachTap(sizes, (pixel, seen, tap) => {
    for (let i = 0; i < from; i++)
      for (let o = 0; o < to; o++) gradient[(tap * from + i) * to + o]! += x[seen * from + i]! * dy[pixel * to + o]!;
  });
  return gradient;
}

/** Logits, and the gradients of their sum with weights in the images and the filters, in float64. */
function exact(network: Network, images: Float32Array, dLogits: Float32Array, sizes: Sizes) {
  const { height, width, from, to } = sizes;
  const value = (name: string) => (network.parameters.get(name) ?? network.statistics.get(name))!.dataSync();
  const perChannel = (channels: number) => (i: number) => i % channels;
  const at = perChannel(from);
  const [scale, shift, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((each) =>
    value(`n1.${each}`),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const factor = scale.map((each, c) => each / Math.sqrt(variance[c]! + 1e-5));
  const square = { ...sizes, to: from };
  const x = Float64Array.from(images);
  const joined = convolution(x, value('c1.weight'), square).map((each, i) =>
    Math.max(0, (each - mean[at(i)]!) * factor[at(i)]! + shift[at(i)]! + x[i]!),
  );
  const [matrix, bias, linearBias] = [value('fc.weight'), value('c2.bias'), value('fc.bias')];
  const wide = convolution(joined, value('c2.weight'), sizes).map((each, i) => each + bias[perChannel(to)(i)]!);
  const pixels = height * width;
  const logits = Float64Array.from({ length: sizes.images * classes }, (_, i) => {
    const [image, unit] = [Math.floor(i / classes), i % classes];
    let sum = 0;
    for (let j = 0; j < pixels * to; j++) sum += wide[image * pixels * to + j]! * matrix[(j % to) * classes + unit]!;
    return sum / pixels + linearBias[unit]!;
  });
  const dWide = wide.map((_, i) => {
    const image = Math.floor(i / (pixels * to));
    let sum = 0;
    for (let unit = 0; unit < classes; unit++)
      sum += dLogits[image * classes + unit]! * matrix[(i % to) * classes + unit]!;
    return sum / pixels;
  });
  const dJoined = convolution(dWide, value('c2.weight'), sizes, true).map((each, i) => (joined[i]! > 0 ? each : 0));
  const scaled = dJoined.map((each, i) => each * factor[at(i)]!);
  const dImages = convolution(scaled, value('c1.weight'), square, true).map((each, i) => each + dJoined[i]!);
  const dFilters = () => [filterGradient(x, scaled, square), filterGradient(joined, dWide, sizes)] as const;
  return { logits, dImages, dFilters };
}

function makeNetwork(sizes: Sizes): Network {
  const network = createNetwork(graphOf(sizes), { name: 'wide', random: createRandom(3) });
  let seed = 0;
  for (const [name, variable] of [...network.parameters, ...network.statistics]) {
    seed += 1;
    if (!/^n1|bias$/.test(name)) continue;
    const values = wave(variable.size, seed).map((each) => 0.4 * each + (/mean|bias/.test(name) ? 0 : 0.8));
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
  }
  return network;
}

function expectClose(actual: ArrayLike<number>, expected: Float64Array, within: number): void {
  const scale = Math.sqrt(expected.reduce((sum, each) => sum + each * each, 0) / expected.length);
  const differences = expected.map((each, i) => Math.abs(each - actual[i]!) / scale);
  expect(actual).toHaveLength(expected.length);
  expect(differences.reduce((most, each) => Math.max(most, each), 0)).toBeLessThan(within); // NaN is never less
}

/** One image and many, sides that are no multiple of four, few tiles for each thread and many. */
const cases: Sizes[] = [
  { images: 1, height: 5, width: 7, from: 64, to: 96 },
  { images: 1, height: 33, width: 18, from: 64, to: 64 },
  { images: 7, height: 5, width: 7, from: 96, to: 64 },
  { images: 50, height: 5, width: 3, from: 64, to: 112 },
  { images: 26, height: 4, width: 4, from: 64, to: 256 },
  { images: 3, height: 12, width: 12, from: 80, to: 72 },
];

/** Tests passes of the backend `name` against sums in float64. */
export function sweepWideConvolutions(name: string): void {
  beforeAll(() => tf.setBackend(name));
  const made: Network[] = [];
  afterAll(() => made.forEach((network) => network.dispose()));
  const look = (sizes: Sizes, images: Float32Array, wrt: 'images' | 'all') => {
    const network = makeNetwork(sizes);
    made.push(network);
    const dLogits = wave(sizes.images * classes, 0.2);
    const given = tf.tensor4d(images, [sizes.images, sizes.height, sizes.width, sizes.from]);
    const pass = network.pass([given], { mode: 'eval', wrt });
    const back = pass.pullback([tf.tensor2d(dLogits, [sizes.images, classes])]);
    const dFilters = ['c1', 'c2'].map((each) => back.parameters.get(`${each}.weight`)?.dataSync());
    const found = { logits: pass.logits[0]!.dataSync(), dImages: back.images[0]!.dataSync(), dFilters };
    pass.dispose();
    tf.dispose([given, ...back.images, ...back.parameters.values()]);
    return { network, dLogits, found };
  };
  const imagesOf = ({ images, height, width, from }: Sizes) => wave(images * height * width * from, 0.7);

  for (const wrt of ['images', 'all'] as const)
    it.each(cases)(`$images of $height x $width, $from to $to channels, gradients of ${wrt}`, (sizes) => {
      const images = imagesOf(sizes);
      const { network, dLogits, found } = look(sizes, images, wrt);
      const expected = exact(network, images, dLogits, sizes);
      expectClose(found.logits, expected.logits, 2e-5);
      expectClose(found.dImages, expected.dImages, 2e-5);
      if (wrt === 'all') expected.dFilters().forEach((each, at) => expectClose(found.dFilters[at]!, each, 2e-5));
    });
  it('keeps what is not a number in its image', () => {
    const sizes = cases[3]!;
    const images = imagesOf(sizes);
    images[sizes.height * sizes.width * sizes.from + 5] = NaN; // of the second image
    const { logits } = look(sizes, images, 'images').found;
    const broken = Array.from({ length: sizes.images }, (_, image) => Number.isNaN(logits[image * classes]!));
    expect(broken).toEqual(Array.from({ length: sizes.images }, (_, image) => image === 1));
  });
}
