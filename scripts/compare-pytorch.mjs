// Times training steps against PyTorch's, in turn, with the same weights and images:
//   npm run build && node scripts/compare-pytorch.mjs [--engine torch] [--python <python with torch>] [--methods at,trades,st] [--pairs 5]
// On a GPU: --device cuda:0 --batch 128 --precisions float32,tf32,bfloat16,bfloat16+graphs. PyTorch computes in TF32 for the last two: bfloat16 is our attack's.
// On busy machines only the ratio of two steps that were made one after the other tells anything.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { builtinRegistry } from '@bulwark/cli';
import { useEngine } from '@bulwark/core';
import { currentSession } from '@bulwark/core/engine';
import { enginesOf } from '@bulwark/core/plugins';
import { peakBytes } from '@bulwark/core/run';
import { resetPeak } from '../packages/cli/dist/bench/memory.js';
import { sampleOf } from '../packages/cli/dist/bench/sample.js';
import { makeSubject } from '../packages/cli/dist/bench/subject.js';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    pairs: { type: 'string', default: '5' },
    engine: { type: 'string', default: 'torch' },
    device: { type: 'string', default: 'cpu' },
    threads: { type: 'string', default: '2' },
    model: { type: 'string', default: 'resnet18' },
    batch: { type: 'string', default: '32' },
    steps: { type: 'string', default: '10' },
    methods: { type: 'string', default: 'at,trades,st' },
    precisions: { type: 'string', default: 'float32' },
    json: { type: 'string' },
  },
});
const [batch, steps, pairs] = [flags.batch, flags.steps, flags.pairs].map(Number);
const precisions = flags.precisions.split(',');
const unknown = precisions.find((each) => !/^(float32|tf32|bfloat16)(\+graphs)?(\+heuristics)?$/.test(each));
if (unknown !== undefined)
  throw new Error(
    `--precisions ${unknown}: float32, tf32 and bfloat16 are known, each with +graphs (CUDA's) and +heuristics (cuDNN's, in place of measuring)`,
  );
if (!['resnet18', 'wrn-28-10'].includes(flags.model))
  throw new Error(`--model ${flags.model}: resnet18 and wrn-28-10 are known, of which PyTorch's side has copies`);
const onGpu = flags.device.startsWith('cuda');
const theirSteps = fileURLToPath(new URL('compare_pytorch.py', import.meta.url));

/** The engine as it is asked for; other engines than torch have no choice of devices. */
const request = (precision) => ({
  use: flags.engine,
  ...(flags.engine === 'torch' && {
    device: flags.device,
    tf32: onGpu && !precision.startsWith('float32'),
    graphs: precision.includes('+graphs'),
    benchmark: !precision.includes('+heuristics'),
  }),
});

/** PyTorch's process, which makes a step whenever it is told to. */
function pytorch(method, subject) {
  const settings = { threads: Number(flags.threads), device: flags.device, model: flags.model, steps };
  const child = spawn(flags.python, [theirSteps, method, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`PyTorch's process ended with ${code}`);
  });
  const { model } = subject;
  const tensors = [
    ...model.parameters,
    ...model.statistics,
    ['images', subject.batch.images],
    ['labels', subject.batch.labels],
  ];
  const header = Buffer.from(JSON.stringify(tensors.map(([name, { shape }]) => [name, shape])));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  child.stdin.write(Buffer.concat([length, header]));
  for (const [, tensor] of tensors) child.stdin.write(Buffer.from(Float32Array.from(tensor.dataSync()).buffer));
  return {
    async step(precision) {
      child.stdin.write(`step ${precision}\n`);
      const [line] = await Promise.race([once(lines, 'line'), ended]);
      return JSON.parse(line);
    },
    end() {
      ended.catch(() => undefined);
      child.stdin.end();
      return once(child, 'close');
    },
  };
}

const round = (value) => Number(value.toPrecision(3));
const megabytes = (bytes) => Math.round(bytes / 2 ** 20);

const peakNow = () => (onGpu ? (currentSession().peakDeviceMemory?.() ?? NaN) : peakBytes());

async function compare(method, precision, theirs) {
  await useEngine(request(precision), { engines: enginesOf(builtinRegistry()) });
  const without = currentSession().remarks?.find((remark) => remark.startsWith('graphs '));
  if (without !== undefined) {
    console.log(`${method} ${precision}: not measured, ${without}`);
    return undefined;
  }
  const subject = await makeSubject({
    model: flags.model,
    method,
    batch,
    steps,
    reducedPrecision: precision.startsWith('bfloat16'),
  });
  // one process for all precisions: the weights are the same
  const other = (theirs.process ??= pytorch(method, subject));
  const last = [...subject.model.parameters.values()].at(-1);
  const theirPrecision = onGpu && !precision.startsWith('float32') ? 'tf32' : 'float32';
  const [ourTimes, theirTimes, theirPeaks] = [[], [], []];
  // the first steps of each set things up
  for (let pair = onGpu ? -2 : -1; pair < pairs; pair++) {
    if (pair === 0) {
      resetPeak();
      peakNow();
    }
    const began = performance.now();
    subject.step();
    last.dataSync(); // the update is done, too
    const seconds = (performance.now() - began) / 1000;
    const their = await other.step(theirPrecision);
    if (pair < 0) {
      console.log(`${method} ${precision}  first steps ${round(seconds)} s / ${round(their.seconds)} s`);
      continue;
    }
    ourTimes.push(seconds);
    theirTimes.push(their.seconds);
    theirPeaks.push(their.peak);
    console.log(`${method}  ${round(seconds)} s / ${round(their.seconds)} s = ${round(seconds / their.seconds)}`);
  }
  const [ourPeak, theirPeak] = [peakNow(), Math.max(...theirPeaks)];
  subject.dispose();
  const [our, their] = [sampleOf(ourTimes).median, sampleOf(theirTimes).median];
  const { median, lowest, highest } = sampleOf(ourTimes.map((seconds, i) => seconds / theirTimes[i]));
  console.log(
    `${method} ${precision}  median ${round(our)} s / ${round(their)} s; ` +
      `ratio of a pair ${round(median)} (${round(lowest)} to ${round(highest)}); ` +
      `memory ${megabytes(ourPeak)} MB / ${megabytes(theirPeak)} MB = ${round(ourPeak / theirPeak)}`,
  );
  return {
    ...{ model: flags.model, batch, steps, method, precision, against: theirPrecision },
    ...{ seconds: our, theirSeconds: their, ratio: median, lowest, highest },
    ...{ megabytes: megabytes(ourPeak), theirMegabytes: megabytes(theirPeak) },
  };
}

process.env.BULWARK_THREADS ??= flags.threads;
const rows = [];
for (const method of flags.methods.split(',')) {
  const theirs = {};
  for (const precision of precisions) {
    const row = await compare(method, precision, theirs);
    if (row) rows.push(row);
    // what is measured so far is kept where time runs out
    if (flags.json) writeFileSync(flags.json, JSON.stringify(rows, null, 2));
  }
  await theirs.process?.end();
}
