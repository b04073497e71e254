// The webgpu engine with what measurements need of its insides.
import * as tf from '@tensorflow/tfjs-core';
import { builtinRegistry } from '@bulwark/cli';
import { globals } from 'webgpu';
import { createRandom, useEngine } from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import { shaderRunner } from '../../packages/engine-webgpu/dist/shader.js';

export const print = (found) => console.log(JSON.stringify(found));
export const round = (value, digits = 3) => Number(value.toPrecision(digits));

const random = createRandom(1, 'webgpu-check');
// a prime count, so that rows of what is filled with it differ
const some = Float32Array.from({ length: 65521 }, () => random.next() * 2 - 1);

/** Numbers from -1 to 1. */
export function noise(shape) {
  const values = new Float32Array(tf.util.sizeFromShape(shape));
  for (let at = 0; at < values.length; at += some.length) values.set(some.subarray(0, values.length - at), at);
  return tf.tensor(values, shape);
}

/** Starts the engine, with the GPU's clock if that is wanted. */
export async function openGpu({ clock = false } = {}) {
  if (clock) {
    const { prototype } = globals.GPUAdapter;
    const { requestDevice } = prototype;
    prototype.requestDevice = function (descriptor) {
      return requestDevice.call(this, { ...descriptor, requiredFeatures: ['timestamp-query'] });
    };
  }
  await useEngine('webgpu', { engines: enginesOf(builtinRegistry()) });
  const backend = tf.backend();
  // not before the engine has put what it expects in place
  const { webgpu_util } = await import('@tensorflow/tfjs-backend-webgpu');
  const { device } = backend;
  const submit = () => {
    backend.endComputePassEncoder();
    if (backend.commandEncoder) backend.submitQueue();
  };
  return {
    backend,
    device,
    run: shaderRunner(webgpu_util),
    submit,
    async done() {
      submit();
      await device.queue.onSubmittedWorkDone();
    },
  };
}

/** Median of milliseconds per call: some calls are made at once, and waited for together. */
export async function time(gpu, call, { calls = 10, rounds = 3 } = {}) {
  const found = [];
  for (let round = -1; round < rounds; round++) {
    await gpu.done();
    const began = performance.now();
    for (let i = 0; i < (round < 0 ? 1 : calls); i++) call();
    await gpu.done();
    if (round >= 0) found.push((performance.now() - began) / calls);
  }
  return found.sort((a, b) => a - b)[Math.floor(rounds / 2)];
}

/** The convolutions of ResNet-18 for images of 32x32, and how often it has each. */
export const convolutions = [
  { side: 32, kernel: 3, from: 3, to: 64, stride: 1, count: 1 },
  { side: 32, kernel: 3, from: 64, to: 64, stride: 1, count: 4 },
  { side: 32, kernel: 3, from: 64, to: 128, stride: 2, count: 1 },
  { side: 32, kernel: 1, from: 64, to: 128, stride: 2, count: 1 },
  { side: 16, kernel: 3, from: 128, to: 128, stride: 1, count: 3 },
  { side: 16, kernel: 3, from: 128, to: 256, stride: 2, count: 1 },
  { side: 16, kernel: 1, from: 128, to: 256, stride: 2, count: 1 },
  { side: 8, kernel: 3, from: 256, to: 256, stride: 1, count: 3 },
  { side: 8, kernel: 3, from: 256, to: 512, stride: 2, count: 1 },
  { side: 8, kernel: 1, from: 256, to: 512, stride: 2, count: 1 },
  { side: 4, kernel: 3, from: 512, to: 512, stride: 1, count: 3 },
];
export const nameOf = ({ side, kernel, from, to, stride }) =>
  `${kernel}x${kernel}/${stride} ${side}x${side}x${from}>${to}`;
