// How long do training steps take, and what takes their time?
import { makeSubject } from '../../packages/cli/dist/bench/subject.js';
import { clockOf } from './clock.mjs';
import { openGpu, print, round } from './gpu.mjs';

/** Counts what is handed to the GPU. */
function counted({ backend, device }) {
  const counts = { kernels: 0, submits: 0, buffers: 0, writes: 0 };
  const count = (object, method, what) => {
    const own = object[method];
    object[method] = function (...given) {
      counts[what]++;
      return own.apply(this, given);
    };
  };
  count(backend, 'runWebGPUProgram', 'kernels');
  count(backend, 'submitQueue', 'submits');
  count(device, 'createBuffer', 'buffers');
  count(device.queue, 'writeBuffer', 'writes');
  return counts;
}

const subjectOf = (method, { model, batch, steps }) => makeSubject({ model, method, batch, steps });

/** Milliseconds of a step, and until all of it was handed over. */
async function stepOf(gpu, subject, runs = 3) {
  const { backend, device } = gpu;
  const found = [];
  for (let run = -2; run < runs; run++) {
    await gpu.done();
    const began = performance.now();
    let firstRead;
    const { readSync } = backend;
    backend.readSync = (id) => {
      firstRead ??= performance.now() - began;
      return readSync.call(backend, id);
    };
    subject.step();
    backend.readSync = readSync;
    gpu.submit();
    const handed = performance.now() - began;
    await device.queue.onSubmittedWorkDone();
    if (run >= 0) found.push({ ms: performance.now() - began, firstRead, handed });
  }
  return found.sort((a, b) => a.ms - b.ms)[Math.floor(runs / 2)];
}

export async function measureSteps(settings, methods) {
  const gpu = await openGpu();
  const counts = counted(gpu);
  let at;
  for (const method of methods) {
    const subject = await subjectOf(method, settings);
    const { ms, firstRead, handed } = await stepOf(gpu, subject);
    const before = { ...counts };
    subject.step();
    const made = Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, value - before[name]]));
    const row = { method, ms: round(ms), untilFirstRead: round(firstRead), handedOver: round(handed), ...made };
    print(row);
    console.log(
      `${method}: ${row.ms} ms; all handed over before the first read after ${row.untilFirstRead} ms; ${JSON.stringify(made)}`,
    );
    subject.dispose();
    if (method === 'at') at = ms;
  }
  const fewer = Math.floor(settings.steps / 2);
  const subject = await subjectOf('at', { ...settings, steps: fewer });
  const { ms } = await stepOf(gpu, subject);
  const one = (at - ms) / (settings.steps - fewer);
  console.log(`an attack step ${round(one)} ms; the rest of an AT step ${round(at - settings.steps * one)} ms`);
  print({ attackStep: round(one), rest: round(at - settings.steps * one) });
  subject.dispose();
}

/** Sums of the milliseconds of kernels of one name, the largest first. */
function byName(rows, keyOf) {
  const sums = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    const sum = sums.get(key) ?? { name: key, count: 0, ms: 0 };
    sum.count++;
    sum.ms += row.ms;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => b.ms - a.ms);
}

export async function profileSteps(settings) {
  const gpu = await openGpu({ clock: true });
  for (const method of ['at', 'st']) {
    const subject = await subjectOf(method, { ...settings, steps: Math.min(2, settings.steps) });
    subject.step();
    subject.step();
    const clock = clockOf(gpu);
    clock.start();
    subject.step();
    await gpu.done();
    const rows = await clock.stop();
    const total = rows.reduce((sum, { ms }) => sum + ms, 0);
    console.log(`${method} with 2 attack steps: ${rows.length} kernels, ${round(total)} ms on the GPU`);
    for (const { name, count, ms } of byName(rows, (row) => row.name).slice(0, 22))
      console.log(`  ${round(ms).toString().padStart(7)} ms ${String(count).padStart(4)} x ${name.slice(0, 90)}`);
    print({ method, total, kernels: byName(rows, ({ name, shape }) => `${name} > ${shape.join('x')}`).slice(0, 150) });
    subject.dispose();
  }
}

/** Shaders of a step by name, the most frequent first, without computing any: any adapter will do, at any batch. */
export async function countShaders(settings) {
  const { backend } = await openGpu();
  const counts = new Map();
  backend.runWebGPUProgram = function (program, inputs, dtype, ...[, output]) {
    const found = output ?? this.makeTensorInfo(program.outputShape, dtype);
    for (const { dataId } of [...inputs, found]) this.uploadToGPU(dataId);
    const { name } = program.constructor;
    const key = name === 'Object' ? program.shaderKey : name;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return found;
  };
  for (const method of ['at', 'trades', 'st']) {
    const subject = await subjectOf(method, settings);
    subject.step();
    subject.step();
    counts.clear();
    subject.step();
    const sorted = [...counts].sort(([, a], [, b]) => b - a);
    const total = sorted.reduce((sum, [, count]) => sum + count, 0);
    console.log(`${method}: ${total} shaders`);
    for (const [name, count] of sorted.slice(0, 12)) console.log(`  ${String(count).padStart(5)} x ${name}`);
    print({ method, shaders: total, byName: Object.fromEntries(sorted) });
    subject.dispose();
  }
}
