// Whether TF32 as the torch engine emulates it is what a GPU computes:
//   npm run build && node scripts/tf32-check.mjs --device cuda:0 [--json file]
// A product with the identity shows how factors are rounded; of others it says how far the GPU's TF32 is from the emulated one, and how far from
// float32: root mean squares of differences, relative to that of the values. Where the first is not much smaller, the emulation is wrong.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { builtinRegistry } from '@bulwark/cli';
import { createRandom, useEngine } from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers TensorFlow.js's gradients

const { values: flags } = parseArgs({
  options: { device: { type: 'string', default: 'cuda:0' }, json: { type: 'string' } },
});
const engines = enginesOf(builtinRegistry());

const random = (shape, seed) => tf.sub(createRandom(seed, 'tf32').uniform(shape), 0.5);
const withGradients = (product, a, b) => () => {
  const y = product(a(), b());
  return [y, ...tf.grads(product)([a(), b()], random(y.shape, 3))];
};
const convolution = (size, channels) =>
  withGradients(
    (x, filter) => tf.conv2d(x, filter, 1, 'same'),
    () => random([8, size, size, channels], 1),
    () => random([3, 3, channels, 64], 2),
  );
const products = {
  'matrices of 512': withGradients(
    (a, b) => tf.matMul(a, b),
    () => random([512, 512], 1),
    () => random([512, 512], 2),
  ),
  'convolution of 64 channels': convolution(16, 64),
  'convolution of 3 channels': convolution(32, 3),
};
const identity = () => [tf.matMul(random([512, 512], 1), tf.eye(512))];

/** What all products are in float32, in TF32 and emulated. */
const found = {};
for (const tf32 of [false, true, 'emulated']) {
  await useEngine({ use: 'torch', device: flags.device, tf32 }, { engines });
  const numbers = (compute) => tf.tidy(() => compute().map((each) => each.dataSync()));
  found[tf32] = Object.fromEntries(
    Object.entries({ identity, ...products }).map(([name, compute]) => [name, numbers(compute)]),
  );
}

function apart(a, b) {
  let [differences, squares] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    differences += (a[i] - b[i]) ** 2;
    squares += b[i] ** 2;
  }
  return Math.sqrt(differences / squares);
}
const cut = Float32Array.from(found.false.identity[0]);
new Int32Array(cut.buffer).forEach((bits, i, all) => (all[i] = bits & ~0x1fff));
const share = (expected) =>
  found.true.identity[0].filter((each, i) => each === expected[i]).length / found.true.identity[0].length;
const rounding = {
  emulated: share(found.emulated.identity[0]),
  cut: share(cut),
  float32: share(found.false.identity[0]),
};
console.log(
  `factors: as emulated ${rounding.emulated.toFixed(4)}, cut off ${rounding.cut.toFixed(4)}, as in float32 ${rounding.float32.toFixed(4)} of all`,
);
const rows = Object.keys(products).flatMap((name) =>
  ['value', 'gradient in the first', 'in the second'].map((what, i) => {
    const [exact, gpu, emulated] = [false, true, 'emulated'].map((tf32) => found[tf32][name][i]);
    return { name, what, fromEmulated: apart(gpu, emulated), fromFloat32: apart(gpu, exact) };
  }),
);
for (const { name, what, fromEmulated, fromFloat32 } of rows)
  console.log(
    `${name}, ${what}: ${fromEmulated.toExponential(1)} from emulated, ${fromFloat32.toExponential(1)} from float32`,
  );
if (flags.json) writeFileSync(flags.json, JSON.stringify({ rounding, differences: rows }));
