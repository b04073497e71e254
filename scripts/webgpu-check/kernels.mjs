// How fast are the kernels, one by one, with the tensors of ResNet-18?
import * as tf from '@tensorflow/tfjs-core';
import { convolution } from '../../packages/engine-webgpu/dist/hardware/convolution.js';
import { filterGradient } from '../../packages/engine-webgpu/dist/hardware/filter-gradient.js';
import { inputGradient } from '../../packages/engine-webgpu/dist/hardware/input-gradient.js';
import { partsOf, shareOut, shareOutPixels, tiles } from '../../packages/engine-webgpu/dist/hardware/tile.js';
import { clockOf } from './clock.mjs';
import { convolutions, nameOf, noise, openGpu, print, round, time } from './gpu.mjs';

/** Ways of sharing out: the rule, with and without reading ahead, and each tile with fewer and with more groups. */
function sharings({ columns, rule }) {
  const found = { rule, 'rule, ahead': (extent) => ({ ...rule(extent), ahead: true }) };
  for (const name of columns <= 8 ? ['narrow'] : ['large', 'medium'])
    for (const groups of [256, 512, 1024])
      found[`${name} ${groups}`] = (extent) => partsOf(extent, tiles[name], groups);
  return found;
}

const stockAttrs = ({ stride, kernel }) => {
  const padding = (kernel - 1) / 2;
  const sides = [padding, padding];
  return {
    strides: [stride, stride],
    pad: [[0, 0], sides, sides, [0, 0]],
    dilations: [1, 1],
    dataFormat: 'NHWC',
    dimRoundingMode: 'floor',
  };
};

/** Functions that compute one convolution and its gradients, ours with a sharing, and TensorFlow.js's. */
function callsOf(gpu, given, batch) {
  const { side, kernel, from, to, stride } = given;
  const padding = (kernel - 1) / 2;
  const out = side / stride;
  const shapes = { x: [batch, side, side, from], filter: [kernel, kernel, from, to], dy: [batch, out, out, to] };
  const tensors = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, noise(shape)]));
  const { x, filter, dy } = tensors;
  const attrs = { stride, padding, inputShape: shapes.x, filterShape: shapes.filter };
  const stock = (name, inputs, more) => () =>
    tf.getKernel(name, 'webgpu').kernelFunc({ inputs, backend: gpu.backend, attrs: { ...stockAttrs(given), ...more } });
  return {
    flop: 2 * batch * out * out * to * kernel * kernel * from,
    kinds: {
      forward: {
        columns: to,
        rule: shareOut,
        ours: (share) => convolution(gpu.run, gpu.backend, { x, filter, attrs, relu: false }, share),
        stock: stock('Conv2D', { x, filter }),
      },
      input: {
        columns: from,
        rule: shareOut,
        ours: (share) => inputGradient(gpu.run, gpu.backend, { dy, filter, attrs }, share),
        stock: stock('Conv2DBackpropInput', { dy, filter }, { inputShape: shapes.x }),
      },
      filter: {
        columns: to,
        rule: shareOutPixels,
        ours: (share) => filterGradient(gpu.run, gpu.backend, { x, dy, attrs }, share),
      },
    },
    dispose: () => tf.dispose(Object.values(tensors)),
  };
}

/** Milliseconds of a call by the GPU's clock, the least of some. */
async function timeByClock(clock, call) {
  call();
  const found = [];
  for (let i = 0; i < 4; i++) {
    clock.start();
    call();
    const rows = await clock.stop();
    found.push(rows.reduce((sum, { ms }) => sum + ms, 0));
  }
  return Math.min(...found);
}

export async function measureConvolutions({ batch }) {
  const gpu = await openGpu({ clock: true });
  const clock = clockOf(gpu);
  const freeing = (call) => () => gpu.backend.disposeData(call().dataId);
  const totals = {};
  // the ones that take most of the time first
  for (const given of [...convolutions].sort((a, b) => b.count * b.kernel - a.count * a.kernel)) {
    const { flop, kinds, dispose } = callsOf(gpu, given, batch);
    for (const [kind, { columns, rule, ours, stock }] of Object.entries(kinds)) {
      const calls = Object.entries(sharings({ columns, rule })).map(([name, share]) => [name, () => ours(share)]);
      if (stock) calls.push(['stock', stock]);
      const line = [];
      for (const [name, call] of calls) {
        try {
          const ms = await timeByClock(clock, freeing(call));
          print({ convolution: nameOf(given), kind, name, ms: round(ms), tflops: round(flop / ms / 1e9) });
          line.push(`${name} ${round(ms)} (${round(flop / ms / 1e9)})`);
          totals[kind] ??= {};
          totals[kind][name] = (totals[kind][name] ?? 0) + given.count * ms;
        } catch (error) {
          line.push(`${name} failed: ${error.message.split('\n')[0]}`);
        }
      }
      console.log(`${nameOf(given).padEnd(22)} ${kind.padEnd(8)} ms (TFLOP/s): ${line.join('; ')}`);
    }
    dispose();
  }
  for (const [kind, sums] of Object.entries(totals))
    console.log(
      `all of ResNet-18, ${kind}, ms: ${Object.entries(sums)
        .map(([name, ms]) => `${name} ${round(ms)}`)
        .join('; ')}`,
    );
  print({ totals });
}

/** Kernels that the memory bounds: how often each reads or writes a whole tensor. */
const bound = [
  ['ReLU', 2, (t) => tf.engine().runKernel('BulwarkRelu', { x: t.x })],
  ['ReLU gradient', 3, (t) => tf.engine().runKernel('BulwarkReluGrad', { dy: t.dy, y: t.x })],
  ['add', 3, (t) => tf.add(t.x, t.dy)],
  ['BatchNorm, given statistics', 2, (t) => tf.engine().runKernel('BulwarkBatchNormEval', t, { epsilon: 1e-5 })],
  ['BatchNorm', 4, (t) => tf.engine().runKernel('BulwarkBatchNormTrain', t, { epsilon: 1e-5 })],
  ['BatchNorm gradient', 6, (t) => tf.engine().runKernel('BulwarkBatchNormTrainGrad', t, { epsilon: 1e-5 })],
  ['sum over pixels', 1, (t) => tf.sum(t.x, [0, 1, 2])],
];

export async function measureKernels({ batch }) {
  const gpu = await openGpu();
  for (const [side, channels] of [
    [32, 64],
    [16, 128],
    [8, 256],
    [4, 512],
  ]) {
    const whole = [batch, side, side, channels];
    const t = {
      ...{ x: noise(whole), dy: noise(whole) },
      ...Object.fromEntries(
        ['gamma', 'beta', 'mean', 'variance'].map((name) => [name, tf.tidy(() => tf.add(noise([channels]), 2))]),
      ),
    };
    for (const [name, passes, call] of bound) {
      const ms = await time(gpu, () => tf.tidy(() => void call(t)), { calls: 20, rounds: 2 });
      const rate = (passes * t.x.size * 4) / ms / 1e6;
      print({ kernel: name, shape: whole, ms: round(ms), gigabytesPerSecond: round(rate) });
      console.log(`${name.padEnd(28)} ${whole.join('x').padEnd(14)} ${round(ms)} ms, ${round(rate)} GB/s`);
    }
    tf.dispose(Object.values(t));
  }
}
