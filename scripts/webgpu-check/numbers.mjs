// Are the numbers right? Small convolutions of all kinds, and each tile, against sums in float64.
import * as tf from '@tensorflow/tfjs-core';
import { convolution } from '../../packages/engine-webgpu/dist/hardware/convolution.js';
import { filterGradient } from '../../packages/engine-webgpu/dist/hardware/filter-gradient.js';
import { inputGradient } from '../../packages/engine-webgpu/dist/hardware/input-gradient.js';
import { partsOf, tiles } from '../../packages/engine-webgpu/dist/hardware/tile.js';
import { noise, openGpu, print } from './gpu.mjs';

const limits = [
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupsPerDimension',
];

/** Calls back with the places of an image's pixel, a result's pixel and a tap that meet. */
function meet({ batch, height, width, kernel: [rows, columns], stride, padding, out: [outHeight, outWidth] }, visit) {
  for (let n = 0; n < batch; n++)
    for (let y = 0; y < outHeight; y++)
      for (let x = 0; x < outWidth; x++)
        for (let ky = 0; ky < rows; ky++)
          for (let kx = 0; kx < columns; kx++) {
            const [fromY, fromX] = [y * stride - padding + ky, x * stride - padding + kx];
            if (fromY < 0 || fromY >= height || fromX < 0 || fromX >= width) continue;
            visit((n * height + fromY) * width + fromX, (n * outHeight + y) * outWidth + x, ky * columns + kx);
          }
}

const cases = [
  { batch: 2, height: 9, width: 7, from: 5, to: 6, kernel: [3, 3], stride: 1, padding: 1 },
  { batch: 2, height: 9, width: 7, from: 5, to: 8, kernel: [3, 3], stride: 2, padding: 1 },
  { batch: 2, height: 8, width: 6, from: 8, to: 5, kernel: [3, 3], stride: 2, padding: 1 },
  { batch: 1, height: 11, width: 10, from: 3, to: 4, kernel: [5, 5], stride: 3, padding: 2 },
  { batch: 2, height: 5, width: 6, from: 4, to: 7, kernel: [3, 2], stride: 1, padding: 0 },
  { batch: 3, height: 7, width: 7, from: 8, to: 4, kernel: [1, 1], stride: 2, padding: 0 },
  { batch: 5, height: 16, width: 16, from: 3, to: 64, kernel: [3, 3], stride: 1, padding: 1 },
  { batch: 3, height: 16, width: 16, from: 64, to: 64, kernel: [3, 3], stride: 1, padding: 1, tiles: true },
  { batch: 3, height: 16, width: 16, from: 64, to: 128, kernel: [3, 3], stride: 2, padding: 1 },
  { batch: 3, height: 16, width: 16, from: 64, to: 128, kernel: [1, 1], stride: 2, padding: 0 },
  { batch: 3, height: 4, width: 4, from: 256, to: 132, kernel: [3, 3], stride: 1, padding: 1 },
];

function worst(found, expected) {
  let [most, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(found[i] - expected[i]);
    if (!(off <= most)) most = off;
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return most / scale;
}

export async function checkNumbers() {
  const gpu = await openGpu();
  const { info } = await navigator.gpu.requestAdapter();
  print({
    adapter: [info.vendor, info.architecture, info.device, info.description].join(' | '),
    limits: Object.fromEntries(limits.map((name) => [name, gpu.device.limits[name]])),
  });
  console.log(info.description, info.device);
  const sharings = { rule: undefined };
  for (const [name, tile] of Object.entries(tiles)) sharings[name] = (extent) => partsOf(extent, tile, 512);
  sharings['large, ahead'] = (extent) => ({ ...partsOf(extent, tiles.large, 512), ahead: true });
  let most = 0;
  for (const given of cases) {
    const { batch, height, width, from, to, kernel, stride, padding } = given;
    const out = [height, width].map((side, at) => Math.floor((side + 2 * padding - kernel[at]) / stride) + 1);
    const shapes = {
      x: [batch, height, width, from],
      filter: [...kernel, from, to],
      dy: [batch, ...out, to],
      bias: [to],
    };
    const values = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, tf.tidy(() => noise(shape).dataSync())]),
    );
    const [y, dx, dw] = ['dy', 'x', 'filter'].map((name) => new Float64Array(values[name].length));
    for (let i = 0; i < y.length; i++) y[i] = values.bias[i % to];
    meet({ ...given, out }, (pixel, result, tap) => {
      for (let c = 0; c < from; c++)
        for (let f = 0; f < to; f++) {
          const at = (tap * from + c) * to + f;
          const dy = values.dy[result * to + f];
          const w = values.filter[at];
          y[result * to + f] += values.x[pixel * from + c] * w;
          dx[pixel * from + c] += dy * w;
          dw[at] += dy * values.x[pixel * from + c];
        }
    });
    for (let i = 0; i < y.length; i++) y[i] = Math.max(0, y[i]);
    const { x, filter, dy, bias } = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, tf.tensor(values[name], shape)]),
    );
    const tried = Object.entries(sharings).slice(0, given.tiles ? undefined : 1);
    for (const [name, share] of tried) {
      const attrs = { stride, padding, inputShape: shapes.x, filterShape: shapes.filter };
      const results = {
        forward: [convolution(gpu.run, gpu.backend, { x, filter, bias, attrs, relu: true }, share), y],
        input: [inputGradient(gpu.run, gpu.backend, { dy, filter, attrs }, share), dx],
        filter: [filterGradient(gpu.run, gpu.backend, { x, dy, attrs }, share), dw],
      };
      for (const [which, [info, expected]] of Object.entries(results)) {
        const off = worst(gpu.backend.readSync(info.dataId), expected);
        if (!(off < 1e-5)) console.log(`WRONG: ${which} ${name} of ${JSON.stringify(given)}: ${off}`);
        most = off > most || Number.isNaN(off) ? off : most;
        gpu.backend.disposeData(info.dataId);
      }
    }
    tf.dispose([x, filter, dy, bias]);
  }
  console.log(`largest difference ${most}`);
  print({ worst: most });
}
