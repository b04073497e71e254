import '@tensorflow/tfjs-backend-cpu';
import { expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers TensorFlow.js's gradients
import { registerSession } from '@bulwark/core/engine';
import { torch } from '../src/engine.js';
import { nativeInUse, startTorch } from '../src/session.js';
import { optionsOn } from './options.js';

const probe = await torch.probe();
const reasons = (probe.refusals ?? []).map(({ candidate, reason }) => `${candidate}: ${reason}`).join('; ');
if (!probe.available) console.warn(`the torch engine is not installed, its tests are skipped (${reasons})`);
else registerSession(await startTorch(optionsOn('cpu')));

/** Whether the engine is here. */
export const available = probe.available;
/** A test that needs the engine; skipped, and said so, where it is not installed. CI installs it. */
export const whenAvailable = available ? it : it.skip;
const nativeTensors = (): number => nativeInUse()!.counts()[0];

let state = 0;
const next = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
};

/** Numbers in [-1, 1); the same ones in each run of a computation. */
export const values = (...shape: number[]): tf.Tensor =>
  tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, next), shape);

/** Numbers in [0.1, 1.1). */
export const positive = (...shape: number[]): tf.Tensor => tf.add(tf.abs(values(...shape)), 0.1);

/** Whole numbers from 0 to below `end`. */
export const whole = (end: number, ...shape: number[]): tf.Tensor => {
  const numbers = Int32Array.from({ length: tf.util.sizeFromShape(shape) }, () => Math.floor(((next() + 1) / 2) * end));
  return tf.tensor(numbers, shape, 'int32');
};

export type Compute = () => tf.Tensor | tf.Tensor[];

/** Runs a computation on a backend; no tensor may stay behind, neither TensorFlow.js's nor a native one. */
export async function on(backendName: 'cpu' | 'torch', compute: Compute) {
  await tf.setBackend(backendName);
  state = 12345;
  const before = { tensors: tf.memory().numTensors, native: nativeTensors() };
  const found = tf.tidy(compute);
  const outputs = Array.isArray(found) ? found : [found];
  const results = outputs.map((output) => ({
    shape: output.shape,
    dtype: output.dtype,
    values: Array.from(output.dataSync()),
  }));
  tf.dispose(outputs);
  expect(tf.memory().numTensors).toBe(before.tensors);
  return { results, left: nativeTensors() - before.native };
}

/** The torch backend must find what the cpu backend finds, of the same types and shapes. */
export async function expectAgreement(compute: Compute, within = 2e-5): Promise<void> {
  const expected = await on('cpu', compute);
  await on('torch', compute); // small constants are made once and kept
  const found = await on('torch', compute);
  expect(found.left).toBe(0);
  const kinds = ({ results }: typeof expected) => results.map(({ shape, dtype }) => ({ shape, dtype }));
  expect(kinds(found)).toEqual(kinds(expected));
  expected.results.forEach((output, which) => {
    const finite = output.values.filter(Number.isFinite).map(Math.abs);
    const scale = finite.reduce((most, value) => Math.max(most, value), 1);
    const differences = output.values.map((value, i) => {
      const other = found.results[which]!.values[i]!;
      if (Object.is(value, other) || value === other) return 0;
      return Number.isFinite(value) ? Math.abs(other - value) / scale : NaN;
    });
    // Math.max, unlike a comparison, never loses a NaN
    expect(differences.reduce((most, each) => Math.max(most, each), 0)).toBeLessThanOrEqual(within);
  });
}

type Differentiable = (...args: tf.Tensor[]) => tf.Tensor;

/** A function's value and its gradients in all arguments. */
export const differentiated =
  (f: Differentiable, ...args: (() => tf.Tensor)[]): Compute =>
  () => {
    const given = args.map((make) => make());
    const y = f(...given);
    return [y, ...tf.grads(f)(given, values(...y.shape))];
  };

/**
 * On the torch backend: along a random direction, the gradient must say by how much the value changes. For functions whose gradient the
 * cpu backend has wrong; they are linear between neighbouring points, so the change is exact but for rounding.
 */
export async function expectTrueGradient(f: (x: tf.Tensor) => tf.Tensor, make: () => tf.Tensor): Promise<void> {
  const step = 1e-3;
  const compute = (): tf.Tensor[] => {
    const x = make();
    const direction = values(...x.shape);
    const weights = values(...f(x).shape);
    const value = (at: tf.Tensor) => tf.sum(tf.mul(f(at), weights));
    const moved = tf.mul(direction, step);
    const change = tf.div(tf.sub(value(tf.add(x, moved)), value(tf.sub(x, moved))), 2 * step);
    return [change, tf.sum(tf.mul(tf.grad(f)(x, weights), direction))];
  };
  await on('torch', compute); // small constants are made once and kept
  const { results, left } = await on('torch', compute);
  expect(left).toBe(0);
  const [change, predicted] = results.map(({ values: [only] }) => only) as [number, number];
  expect(Math.abs(change - predicted)).toBeLessThan(0.01 * Math.max(1, Math.abs(change)));
}
