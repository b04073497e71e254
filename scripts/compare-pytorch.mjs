// Times training steps of ResNet-18 (32 images, K = 10) against PyTorch's, in turn, with the same weights and images:
//   npm run build && node scripts/compare-pytorch.mjs [--python <python with torch>] [--pairs 5] [--engine tensorflow] [--threads 2] [--reduced]
// On busy machines only the ratio of two steps that were made one after the other tells anything.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { builtinRegistry } from '@bulwark/cli';
import { enginesOf, useEngine } from '@bulwark/core';
import { peakBytes, resetPeak } from '../packages/cli/dist/bench/memory.js';
import { sampleOf } from '../packages/cli/dist/bench/sample.js';
import { makeSubject } from '../packages/cli/dist/bench/subject.js';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    pairs: { type: 'string', default: '5' },
    engine: { type: 'string', default: 'tensorflow' },
    threads: { type: 'string', default: '2' },
    methods: { type: 'string', default: 'at,trades,st' },
    reduced: { type: 'boolean', default: false },
  },
});
const theirSteps = fileURLToPath(new URL('compare_pytorch.py', import.meta.url));

/** PyTorch's process, which makes a step whenever it is told to. */
function pytorch(method, { model, batch }) {
  const child = spawn(flags.python, [theirSteps, method, flags.threads], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`PyTorch's process ended with ${code}`);
  });
  const tensors = [...model.parameters, ...model.statistics, ['images', batch.images], ['labels', batch.labels]];
  const header = Buffer.from(JSON.stringify(tensors.map(([name, { shape }]) => [name, shape])));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  child.stdin.write(Buffer.concat([length, header]));
  for (const [, tensor] of tensors) child.stdin.write(Buffer.from(Float32Array.from(tensor.dataSync()).buffer));
  return {
    async step() {
      child.stdin.write('step\n');
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

async function compare(method) {
  const subject = await makeSubject({
    model: 'resnet18',
    method,
    batch: 32,
    steps: 10,
    reducedPrecision: flags.reduced,
  });
  const other = pytorch(method, subject);
  const ours = [];
  const theirs = [];
  let theirPeak = 0;
  // the first step of each sets things up
  for (let pair = -1; pair < Number(flags.pairs); pair++) {
    if (pair === 0) resetPeak();
    const began = performance.now();
    subject.step();
    const seconds = (performance.now() - began) / 1000;
    const their = await other.step();
    theirPeak = their.peak;
    if (pair < 0) continue;
    ours.push(seconds);
    theirs.push(their.seconds);
    console.log(`${method}  ${round(seconds)} s / ${round(their.seconds)} s = ${round(seconds / their.seconds)}`);
  }
  const ourPeak = peakBytes();
  await other.end();
  subject.dispose();
  const { median, lowest, highest } = sampleOf(ours.map((seconds, i) => seconds / theirs[i]));
  console.log(
    `${method}  median ${round(sampleOf(ours).median)} s / ${round(sampleOf(theirs).median)} s; ` +
      `ratio of a pair ${round(median)} (${round(lowest)} to ${round(highest)}); ` +
      `memory ${megabytes(ourPeak)} MB / ${megabytes(theirPeak)} MB = ${round(ourPeak / theirPeak)}`,
  );
}

process.env.BULWARK_THREADS ??= flags.threads;
await useEngine(flags.engine, { engines: enginesOf(builtinRegistry()) });
for (const method of flags.methods.split(',')) await compare(method);
