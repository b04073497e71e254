import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { batchNormEval, batchNormTrain, conv2d, relu, signOf, signStep, spatialMean } from '../../ops/index.js';
import { sharedKernels } from './helper.js';
import type { SharedKernels, UnitKernel } from './helper.js';
import { instantiate, kernelsOn, memoryOf, useModule } from './module.js';
import type { WasmBackend } from './module.js';
import { registerWasmKernels } from './register.js';
import { defaultThreads, startBackend } from './shared-memory.js';
import { startTeam } from './team.js';

const ramp = (shape: [number, number, number, number], scale = 1): tf.Tensor4D => {
  const values = Float32Array.from(
    { length: tf.util.sizeFromShape(shape) },
    (_, index) => scale * Math.sin(index * 1.7),
  );
  return tf.tensor(values, shape);
};
const backend = (): WasmBackend => tf.backend() as unknown as WasmBackend;

/** A convolution large enough to be shared among threads, and its two gradients. */
function compute(stride: number): Float32Array[] {
  const outputs = tf.tidy(() => {
    const [x, filter] = [ramp([5, 17, 16, 12]), ramp([3, 3, 12, 40], 0.2)];
    const convolve = (...[a, f]: tf.Tensor[]): tf.Tensor =>
      conv2d(a as tf.Tensor4D, f as tf.Tensor4D, { stride, padding: 1 });
    const y = convolve(x, filter);
    return [y, ...tf.grads(convolve)([x, filter], tf.cos(y))];
  });
  const read = outputs.map((output) => output.dataSync() as Float32Array);
  tf.dispose(outputs);
  return read;
}

/** Everything else that threads share, on tensors of several units, with sizes that no unit divides. */
function computeOthers(): Float32Array[] {
  const outputs = tf.tidy(() => {
    const [x, channels] = [ramp([7, 31, 29, 21]), 21];
    const along = tf.slice(tf.reshape(x, [-1]), 0, channels) as tf.Tensor1D;
    const normalised = (images: tf.Tensor): tf.Tensor =>
      relu(batchNormTrain(images as tf.Tensor4D, tf.ones([channels]), along, 1e-5).y);
    const y = normalised(x);
    const step = signStep(tf.abs(x), y, { origin: tf.abs(x), stepSize: 0.1, epsilon: 0.05 });
    const means = (images: tf.Tensor): tf.Tensor => spatialMean(images as tf.Tensor4D);
    const pooled = (images: tf.Tensor): tf.Tensor => tf.maxPool(images as tf.Tensor4D, 3, 2, 'valid');
    return [
      ...[
        y,
        tf.grad(normalised)(x, tf.cos(x)),
        batchNormEval(x, { mean: along, variance: tf.abs(along), gamma: along, beta: along, epsilon: 1e-5 }),
      ],
      ...[step, signOf(x), means(x), tf.grad(means)(x), tf.grad(pooled)(x)],
      ...[tf.add(x, y), tf.sub(x, 0.3), tf.mul(along, x), tf.div(x, tf.add(y, 1))],
    ];
  });
  const read = outputs.map((output) => output.dataSync() as Float32Array);
  tf.dispose(outputs);
  return read;
}

/** One digest of everything computed: deep comparison of long arrays is slow. */
const bytes = (): string =>
  [...[1, 2].flatMap(compute), ...computeOthers()]
    .map((values) => createHash('sha256').update(values).digest('hex'))
    .join();

beforeAll(async () => {
  await startBackend(3);
  registerWasmKernels();
});

describe('the wasm backend on shared memory', () => {
  it('starts under Node, with the memory that its tensors live in', () => {
    expect(Object.prototype.toString.call(memoryOf(backend()).buffer)).toBe('[object SharedArrayBuffer]');
    const x = tf.tensor1d([1, 2, 3]);
    const { memoryOffset } = backend().dataIdMap.get(x.dataId);
    expect([...new Float32Array(memoryOf(backend()).buffer, memoryOffset, 3)]).toEqual([1, 2, 3]);
    x.dispose();
  });
  it('gives bit for bit the same numbers on one and on three threads', async () => {
    useModule(backend(), instantiate(backend(), 'plain', 1));
    const single = bytes();
    useModule(backend(), instantiate(backend(), 'plain', 3));
    expect(kernelsOn(backend()).threads).toBe(3);
    for (let repeat = 0; repeat < 20; repeat++) {
      expect(bytes()).toBe(single);
      // Helpers arrive while this goes on.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  it('goes on when the memory grows while helpers hold it', () => {
    const before = bytes();
    const large = tf.zeros([memoryOf(backend()).buffer.byteLength / 4 + 1024]);
    expect(bytes()).toBe(before);
    large.dispose();
  });
});

/** A module whose `addUnit` tells that it began, at address 4 of a shared memory, and then goes on with `then`. */
function unitThat(then: readonly number[]): WebAssembly.Module {
  const text = (name: string): number[] => [name.length, ...Buffer.from(name)];
  const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
  const tell = [0x41, 4, 0x41, 1, 0xfe, 0x17, 2, 0]; // i32.atomic.store of 1
  const body = [0, ...tell, ...then, 0x0b];
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0),
    ...section(2, 1, ...text('env'), ...text('memory'), 2, 3, 1, 1),
    ...section(3, 1, 0),
    ...section(7, 1, ...text('addUnit'), 0, 0),
    ...section(10, 1, body.length, ...body),
  ];
  return new WebAssembly.Module(Uint8Array.from(bytes));
}

/** A job on two threads, of which this one goes on only when the other is at work. */
function runBeside(module: WebAssembly.Module, patience: number): () => void {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const begun = new Int32Array(memory.buffer);
  const unit: UnitKernel = () => {
    for (let turn = 0; turn < 3000 && Atomics.load(begun, 1) === 0; turn++) Atomics.wait(begun, 0, 0, 10);
  };
  const kernels = Object.fromEntries(sharedKernels.map((name) => [name, unit])) as SharedKernels;
  const team = startTeam({ module, memory, kernels, threads: 2, patience });
  return () => team.run({ kernel: 'addUnit', units: 4, address: 0, work: 1e9 });
}

describe('a helper thread', () => {
  const hint = expect.stringContaining('BULWARK_THREADS=1') as unknown as string;
  it('that does not come to an end is not waited for without a limit', () => {
    const twoSeconds = [0x41, 0, 0x41, 0, 0x42, 0x80, 0xa8, 0xd6, 0xb9, 7, 0xfe, 1, 2, 0, 0x1a]; // memory.atomic.wait32
    const run = runBeside(unitThat(twoSeconds), 0.3);
    const message = 'wasm: 1 of its 2 threads did not come to an end within 0.3 s';
    expect(run).toThrow(expect.objectContaining({ code: 'ENGINE_THREADS', message, hint }));
    // it may still write somewhere: nothing is computed any more
    expect(run).toThrow(message);
  });
  it('that fails is an error, not a wrong result', () => {
    const run = runBeside(unitThat([0]), 30); // unreachable
    expect(run).toThrow(
      expect.objectContaining({ code: 'ENGINE_THREADS', message: 'wasm: one of its threads broke off', hint }),
    );
  });
});

describe('BULWARK_THREADS', () => {
  it.each(['0', '-1', '2.5', 'many'])('refuses %s', (value) => {
    const saved = process.env['BULWARK_THREADS'];
    process.env['BULWARK_THREADS'] = value;
    try {
      expect(defaultThreads).toThrow(`BULWARK_THREADS is "${value}"; allowed: whole numbers from 1 on`);
    } finally {
      if (saved === undefined) delete process.env['BULWARK_THREADS'];
      else process.env['BULWARK_THREADS'] = saved;
    }
  });
});
