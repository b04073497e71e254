// What bfloat16 products do to accuracy, on any processor: trains the demo's methods twice, in float32 and with every
// operand of a convolution or matrix product rounded to bfloat16 first, as oneDNN does it (sums stay float32):
//   npm run build && node scripts/measure-reduced-precision.mjs [--methods at,trades,st] [--seeds 5]
// Both networks are evaluated in float32, as an engineer would who trains fast and serves exactly.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { getKernel, registerKernel, unregisterKernel, util } from '@tensorflow/tfjs-core';
import { useEngine } from '@bulwark/core';
import { runDemoMethod } from '../packages/cli/dist/demo/run-method.js';

const { values: flags } = parseArgs({
  options: { methods: { type: 'string', default: 'at,trades,st' }, seeds: { type: 'string', default: '5' } },
});

const products = [
  ...[
    'BulwarkConv2D',
    'BulwarkConv2DBias',
    'BulwarkConv2DBiasRelu',
    'BulwarkConv2DInputGrad',
    'BulwarkConv2DFilterGrad',
  ],
  ...['BatchMatMul', '_FusedMatMul'],
];
const operands = new Set(['x', 'filter', 'dy', 'a', 'b']);
let rounding = false;
let rounded = 0;

/** The nearest bfloat16, ties to even: the upper half of the float32's bits. */
function nearest(backend, { dataId, shape, dtype }) {
  const values = new Float32Array(backend.readSync(dataId));
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) & 0xffff0000;
  rounded += util.sizeFromShape(shape);
  return { dataId: backend.write(values, shape, dtype), shape, dtype };
}

function roundOperandsOf(kernelName) {
  const { kernelFunc, ...kernel } = getKernel(kernelName, 'wasm');
  unregisterKernel(kernelName, 'wasm');
  registerKernel({
    ...kernel,
    kernelFunc({ inputs, backend, attrs }) {
      if (!rounding) return kernelFunc({ inputs, backend, attrs });
      const own = [];
      const given = Object.entries(inputs).map(([name, tensor]) => {
        if (!operands.has(name)) return [name, tensor];
        own.push(nearest(backend, tensor));
        return [name, own.at(-1)];
      });
      const result = kernelFunc({ inputs: Object.fromEntries(given), backend, attrs });
      for (const { dataId } of own) backend.disposeData(dataId);
      return result;
    },
  });
}

async function accuracyOf(method, { seed, folder, reduced }) {
  let accuracy;
  rounding = reduced;
  await runDemoMethod(method, {
    seed,
    folder,
    tell(message) {
      if (message.kind === 'epoch' && message.metrics.epoch === epochs) rounding = false;
      if (message.kind === 'result') ({ accuracy } = message.result);
    },
  });
  return accuracy;
}

const epochs = 6;
await useEngine('wasm');
for (const name of products) roundOperandsOf(name);

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(mean(values.map((v) => (v - mean(values)) ** 2)) * (values.length / (values.length - 1)));
const points = (value) => (100 * value).toFixed(2);

for (const method of flags.methods.split(',')) {
  const pairs = [];
  for (let seed = 1; seed <= Number(flags.seeds); seed++) {
    const folder = mkdtempSync(join(tmpdir(), 'bulwark-precision-'));
    const exact = await accuracyOf(method, { seed, folder: join(folder, 'float32'), reduced: false });
    const before = rounded;
    const reduced = await accuracyOf(method, { seed, folder: join(folder, 'bfloat16'), reduced: true });
    if (rounded === before) throw new Error('nothing was rounded: the kernels have other names');
    rmSync(folder, { recursive: true });
    pairs.push({ exact, reduced });
  }
  for (const attack of Object.keys(pairs[0].exact)) {
    const differences = pairs.map(({ exact, reduced }) => reduced[attack] - exact[attack]);
    console.log(
      `${method.padEnd(8)}${attack.padEnd(8)}float32 ${points(mean(pairs.map(({ exact }) => exact[attack])))}  ` +
        `bfloat16 ${points(mean(pairs.map(({ reduced }) => reduced[attack])))}  ` +
        `difference ${points(mean(differences))}, of one seed +-${points(deviation(differences))}`,
    );
  }
}
