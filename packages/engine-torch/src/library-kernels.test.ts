import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createNetwork, createRandom, networkGraph, type Network } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { available, values } from '../test/kit.js';
import { nativeInUse } from './session.js';

/** A network with 3x3 convolutions that go by Winograd, and norms after convolutions, before additions and of features. */
const network = () =>
  createNetwork(
    networkGraph([8, 8, 3], (g) => {
      const stem = g.relu(g.batchNorm('bn1', g.conv('conv1', g.input, { filters: 16, kernel: 3 })));
      const wide = g.batchNorm('bn2', g.conv('conv2', stem, { filters: 16, kernel: 3 }));
      const x = g.globalAveragePool(g.relu(g.add(wide, stem)));
      const normed = g.batchNorm('bn3', g.linear('hidden', x, { units: 6 }));
      // past the norm, too: what comes before a norm alone has gradients that add up to 0
      return g.linear('fc', g.add(normed, g.linear('past', x, { units: 6 })), { units: 5 });
    }),
    { name: 'small', random: createRandom(3, 'initialisation') },
  );

interface Found {
  readonly logits: number[];
  readonly images: number[];
  readonly parameters: Record<string, number[]>;
  readonly statistics: Record<string, number[]>;
}

/** All that a pass of two batches gives; variances as running statistics take them. */
function look(model: Network, mode: 'eval' | 'batch', batches: readonly tf.Tensor4D[]): Found {
  const pass = model.pass(batches, { mode, wrt: 'all' });
  const { images, parameters } = pass.pullback(pass.logits.map((logits) => tf.sin(logits)));
  const numbers = (tensors: readonly tf.Tensor[]) => tensors.flatMap((tensor) => [...tensor.dataSync()]);
  return {
    logits: numbers(pass.logits),
    images: numbers(images),
    parameters: Object.fromEntries([...parameters].map(([name, tensor]) => [name, numbers([tensor])])),
    statistics: Object.fromEntries(
      pass.statistics.flatMap((each, at) =>
        [...each].map(([name, { mean, variance, bessel }]) => [
          `${name} of ${at}`,
          numbers([mean, tf.mul(variance, bessel)]),
        ]),
      ),
    ),
  };
}

/** Numbers that differ by rounding, relative to the largest among them. */
function expectClose(found: readonly number[], expected: readonly number[], what: string): void {
  const largest = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...expected.map((number, at) => Math.abs(number - found[at]!)));
  expect({ what, length: found.length, close: worst <= 2e-5 * largest + 1e-7 }).toEqual({
    what,
    length: expected.length,
    close: true,
  });
}

// GPUs have PyTorch's kernels alone; without our own a processor takes the same ways
(available ? describe : describe.skip)("passes by PyTorch's kernels, as on GPUs", () => {
  let model: Network;
  beforeAll(async () => {
    await tf.setBackend('torch');
    model = network();
  });
  afterAll(() => {
    nativeInUse()!.useOwnKernels(true);
    model.dispose();
  });

  it.each(['eval', 'batch'] as const)('give what kernels of our own give, mode %s', (mode) => {
    tf.tidy(() => {
      const batches = [values(6, 8, 8, 3), values(4, 8, 8, 3)] as tf.Tensor4D[];
      nativeInUse()!.useOwnKernels(true);
      const own = look(model, mode, batches);
      nativeInUse()!.useOwnKernels(false);
      const library = look(model, mode, batches);
      expectClose(library.logits, own.logits, 'logits');
      expectClose(library.images, own.images, 'images');
      expect(Object.keys(library.parameters)).toEqual(Object.keys(own.parameters));
      // a shift just before a norm moves nothing: its gradient is rounding
      for (const [name, numbers] of Object.entries(own.parameters))
        if (mode === 'eval' || !/^(conv\d|hidden)\.bias$/.test(name))
          expectClose(library.parameters[name]!, numbers, name);
      expect(Object.keys(library.statistics)).toEqual(Object.keys(own.statistics));
      expect(Object.keys(own.statistics)).toHaveLength(mode === 'batch' ? 6 : 0);
      for (const [name, numbers] of Object.entries(own.statistics))
        expectClose(library.statistics[name]!, numbers, name);
    });
  });

  it.each([true, false])('a single value of a feature has the variance 0, own kernels %s', (own) => {
    tf.tidy(() => {
      nativeInUse()!.useOwnKernels(own);
      const { statistics } = look(model, 'batch', [values(1, 8, 8, 3) as tf.Tensor4D]);
      const [means, variances] = [statistics['bn3 of 0']!.slice(0, 6), statistics['bn3 of 0']!.slice(6)];
      expect(means.some((mean) => mean !== 0)).toBe(true);
      expect(variances).toEqual([0, 0, 0, 0, 0, 0]);
      expect(statistics['bn1 of 0']!.slice(16).every((variance) => variance > 0)).toBe(true);
    });
  });
});
