// How much of a training step on wasm is computed on one thread only, and so how fast it can become on many (Amdahl's law):
//   node scripts/serial-share.mjs [at|trades|st] [small-cnn|resnet18] [batch] [attack steps] [threads]
// Jobs are cut as for so many threads (default 8), but run on one, and what counts is the processor time of this process: so the
// numbers are right on a machine with few cores and other work. Needs `npm run build`.
import process from 'node:process';
import * as tf from '@tensorflow/tfjs-core';

const [method = 'at', model = 'small-cnn', batch = '128', steps = '10', threads = '8'] = process.argv.slice(2);
process.env.BULWARK_THREADS = '2'; // on shared memory, as on many cores
const { useEngine } = await import('@bulwark/core');
const { instantiate, bestFlavour, useModule } = await import('../packages/core/dist/engine/wasm/module.js');
const { WORTH_SHARING } = await import('../packages/core/dist/engine/wasm/team.js');
const { makeSubject } = await import('../packages/cli/dist/bench/subject.js');

const warmUps = 3;
const runs = model === 'resnet18' ? 2 : 5;

/** Milliseconds of processor time. */
const now = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

await useEngine('wasm');
const backend = tf.backend();
const single = instantiate(backend, bestFlavour(), 1);
const shared = new Map();
let inShared = 0;
useModule(backend, {
  ...single,
  threads: Number(threads),
  share(kernel, parameters, division) {
    const began = now();
    single.share(kernel, parameters, division);
    if (division.units < 2 || division.work < WORTH_SHARING) return;
    const spent = now() - began;
    inShared += spent;
    add(shared, kernel, spent, 0);
  },
});

/** Adds a call to a row of a table. */
function add(table, name, milliseconds, ofThatShared) {
  const row = table.get(name) ?? { calls: 0, milliseconds: 0, serial: 0 };
  row.calls++;
  row.milliseconds += milliseconds;
  row.serial += milliseconds - ofThatShared;
  table.set(name, row);
}

const kernels = new Map();
let depth = 0;
for (const kernel of tf.getKernelsForBackend('wasm')) {
  const { kernelFunc, kernelName } = kernel;
  kernel.kernelFunc = (call) => {
    const [began, before] = [now(), inShared];
    depth++;
    const result = kernelFunc(call);
    if (--depth === 0) add(kernels, kernelName, now() - began, inShared - before);
    return result;
  };
}

const subject = await makeSubject({ model, method, batch: Number(batch), steps: Number(steps) });
for (let run = 0; run < warmUps; run++) subject.step();
kernels.clear();
shared.clear();
inShared = 0;
const began = now();
for (let run = 0; run < runs; run++) subject.step();
const total = now() - began;

const perStep = (value) => (value / runs).toFixed(1).padStart(9);
const rowsOf = (table, field) => [...table].sort(([, a], [, b]) => b[field] - a[field]).slice(0, 12);
console.log('kernel                        calls  ms/step  of that on one thread');
for (const [name, { calls, milliseconds, serial }] of rowsOf(kernels, 'serial'))
  console.log(`${name.padEnd(26)}${perStep(calls)}${perStep(milliseconds)}${perStep(serial)}`);
const inKernels = [...kernels.values()].reduce((sum, { milliseconds }) => sum + milliseconds, 0);
console.log(`${'outside of kernels'.padEnd(35)}${perStep(total - inKernels)}${perStep(total - inKernels)}`);
console.log('\nshared among threads           jobs  ms/step');
for (const [name, { calls, milliseconds }] of rowsOf(shared, 'milliseconds'))
  console.log(`${name.padEnd(26)}${perStep(calls)}${perStep(milliseconds)}`);

const serial = 1 - inShared / total;
const faster = (count) => (1 / (serial + (1 - serial) / count)).toFixed(1);
console.log(
  `\n${method} on ${model}, batch ${batch}, ${steps} attack steps, cut for ${threads} threads: ${(total / runs).toFixed(0)} ms per step,` +
    ` ${(100 * serial).toFixed(1)} % of it on one thread; at best ${faster(4)} times as fast on 4 threads, ${faster(8)} on 8, ${faster(16)} on 16`,
);
process.exit(0);
