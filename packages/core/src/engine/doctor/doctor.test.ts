import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { defineEngine } from '../define.js';
import { useEngine } from '../select.js';
import { diagnoseEngine } from './diagnose.js';
import { wrongNumbers } from '../numerics/index.js';
import { wasm as wasmEngine } from '../wasm/index.js';

/** Runs `work` while one kernel of the wasm engine gives `change` of what it should. */
async function withWrongKernel(name: string, change: (right: tf.Tensor) => tf.Tensor, work: () => Promise<void>) {
  const right = tf.getKernel(name, 'wasm')!;
  const replace = (kernel: tf.KernelConfig): void => {
    tf.unregisterKernel(name, 'wasm');
    tf.registerKernel(kernel);
  };
  const kernelFunc: tf.KernelFunc = (call) => {
    const output = right.kernelFunc(call) as tf.TensorInfo;
    return change(tf.engine().makeTensorFromTensorInfo(output));
  };
  replace({ kernelName: name, backendName: 'wasm', kernelFunc });
  try {
    await work();
  } finally {
    replace(right);
  }
}

describe('the numerics check', () => {
  it('finds nothing wrong with wasm, leaves the engine as it was and no tensor behind', async () => {
    await useEngine('wasm');
    const before = tf.memory().numTensors;
    expect(await wrongNumbers('wasm')).toBeUndefined();
    expect(tf.getBackend()).toBe('wasm');
    expect(tf.memory().numTensors).toBe(before);
  });
  it('names the operation that is wrong, and by how much', async () => {
    await useEngine('wasm');
    await withWrongKernel(
      'BulwarkReluGrad',
      (right) => tf.add(right, 1),
      async () => expect(await wrongNumbers('wasm')).toBe('ReLU and its gradient is off by 1.00'),
    );
  });
  it('does not take NaN for right', async () => {
    await useEngine('wasm');
    await withWrongKernel(
      'BulwarkConv2D',
      (right) => tf.mul(right, NaN),
      async () => expect(await wrongNumbers('wasm')).toBe('convolution and its gradients is off by NaN'),
    );
  });
});

describe('the diagnosis of an engine', () => {
  it('has speed, threads and a clean check where it works', async () => {
    const wasm = await diagnoseEngine(wasmEngine, { seconds: 0.05 });
    if (!wasm.works) throw new Error(wasm.reason);
    expect(wasm.wrong).toBeUndefined();
    expect(wasm.threads).toBeGreaterThan(0);
    expect(wasm.speed.matmulGflops).toBeGreaterThan(0);
    expect(wasm.speed.convolutionGflops).toBeGreaterThan(0);
  });
  it('has the reason and a hint where it does not', async () => {
    const missing = defineEngine({
      name: 'missing',
      summary: 'A test.',
      probe: async () => ({
        available: false,
        refusals: [{ candidate: 'cache', reason: 'nothing installed' }],
        hint: 'install it',
      }),
      start: () => Promise.reject(new Error('started although it is missing')),
    });
    expect(await diagnoseEngine(missing, { seconds: 0 })).toEqual({
      engine: 'missing',
      works: false,
      reason: 'engine missing does not work on this machine: cache: nothing installed',
      hint: 'install it',
    });
  });
});
