// What a training step on the torch engine is made of, as PyTorch's profiler sees it: operators by how often they are called and, on a GPU,
// kernels by what they take, and how long the GPU waits:
//   npm run build && node scripts/profile-step.mjs [--device cuda:0] [--methods at,trades,st] [--precisions tf32,tf32+graphs] [--rows 15]
// Without a GPU, `--precisions float32+graphs` runs passes as they are recorded, so that the operators of a replay can be counted.
import { parseArgs } from 'node:util';
import { writeFileSync } from 'node:fs';
import { builtinRegistry } from '@bulwark/cli';
import { useEngine } from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import { makeSubject } from '../packages/cli/dist/bench/subject.js';
import { nativeInUse } from '../packages/engine-torch/dist/session.js';

const { values: flags } = parseArgs({
  options: {
    device: { type: 'string', default: 'cpu' },
    threads: { type: 'string', default: '2' },
    model: { type: 'string', default: 'resnet18' },
    batch: { type: 'string', default: '128' },
    steps: { type: 'string', default: '10' },
    methods: { type: 'string', default: 'at' },
    precisions: { type: 'string', default: 'float32' },
    rows: { type: 'string', default: '15' },
    json: { type: 'string' },
  },
});
const onGpu = flags.device.startsWith('cuda');

/** Events as the addon lists them: name, on the GPU?, start and length in microseconds. */
function eventsOf([names, numbers]) {
  const events = [];
  for (let at = 0; at < numbers.length; at += 4) {
    const [name, gpu, start, took] = numbers.slice(at, at + 4);
    events.push({ name: names[name], gpu: gpu === 1, start, took });
  }
  return events.sort((a, b) => a.start - b.start || b.took - a.took);
}

/** Those that no other lies within: what operators call, not the callers. */
const innermost = (events) =>
  events.filter(({ start, took }, at) => !(events[at + 1]?.start < start + took) || took === 0);

/** By name: how many and how long in all, the longest first. */
function byName(events) {
  const sums = new Map();
  for (const { name, took } of events) {
    const sum = sums.get(name) ?? { name, count: 0, ms: 0 };
    sum.count++;
    sum.ms += took / 1000;
    sums.set(name, sum);
  }
  return [...sums.values()].sort((a, b) => b.ms - a.ms || b.count - a.count);
}

/** Milliseconds in which at least one of these is under way. */
function covered(events) {
  let [sum, until] = [0, -Infinity];
  for (const { start, took } of events) {
    sum += Math.max(0, start + took - Math.max(start, until));
    until = Math.max(until, start + took);
  }
  return sum / 1000;
}

const found = [];
for (const precision of flags.precisions.split(',')) {
  const graphs = precision.includes('+graphs');
  const reducedPrecision = precision.startsWith('bfloat16');
  const engine = {
    use: 'torch',
    device: flags.device,
    threads: Number(flags.threads),
    tf32: onGpu && !precision.startsWith('float32'),
    graphs: graphs && onGpu,
  };
  await useEngine(engine, { engines: enginesOf(builtinRegistry()), reducedPrecision });
  const native = nativeInUse();
  if (!native.startProfile) throw new Error('this PyTorch comes without the headers of its profiler');
  if (graphs && !onGpu) native.useRecordings(2);
  for (const method of flags.methods.split(',')) {
    const [batch, steps] = [Number(flags.batch), Number(flags.steps)];
    const subject = await makeSubject({ model: flags.model, method, batch, steps, reducedPrecision });
    // cuDNN measures in the first, graphs are recorded in the second
    for (let step = 0; step < 3; step++) subject.step();
    native.startProfile();
    const began = performance.now();
    subject.step();
    native.synchronize();
    const ms = performance.now() - began;
    const events = eventsOf(native.stopProfile());
    const kernels = events.filter(({ gpu }) => gpu);
    const operators = innermost(events.filter(({ gpu }) => !gpu));
    const gpuMs = covered(kernels);
    console.log(`${method} in ${precision}: ${ms.toFixed(1)} ms, ${operators.length} operators and calls`);
    if (onGpu) console.log(`  ${kernels.length} on the GPU, which works for ${gpuMs.toFixed(1)} ms`);
    for (const [title, list] of [
      ['the GPU', byName(kernels)],
      ['the processor', byName(operators)],
    ]) {
      if (list.length > 0) console.log(`  on ${title}:`);
      for (const { name, count, ms: sum } of list.slice(0, Number(flags.rows)))
        console.log(`  ${sum.toFixed(2).padStart(9)} ms ${String(count).padStart(5)} x ${name.slice(0, 100)}`);
    }
    found.push({ method, precision, ms, gpuMs, kernels: byName(kernels), operators: byName(operators) });
    if (flags.json) writeFileSync(flags.json, `${JSON.stringify(found, null, 1)}\n`);
    subject.dispose();
  }
}
