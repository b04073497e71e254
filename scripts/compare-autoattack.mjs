// Times AutoAttack standard (linf) against PyTorch's, in turn, on the same network and images with the same number of threads:
//   npm run build && node scripts/compare-autoattack.mjs [--engine torch] [--python <python with torch>] [--width 16] [--images 64] [--pairs 3]
// On a GPU: --device cuda:0 --width 64 --images 1000 --pairs 1, and --tf32 for products in TF32 on both sides.
// Beforehand a ResNet-18 is trained for a few steps of AT, so that some images stand and some fall. PyTorch's side is scripts/compare_autoattack.py.
// On busy machines only the ratio of two runs that were made one after the other tells anything.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { builtinRegistry } from '@bulwark/cli';
import { createRandom, disposeBatch, takeExamples, useEngine } from '@bulwark/core';
import { breaks, judge } from '@bulwark/core/evaluation';
import { enginesOf } from '@bulwark/core/plugins';
import { checkRun, compose } from '@bulwark/core/run';
import { disposeOutcome, trainStep } from '@bulwark/core/trainer';
import { sampleOf } from '../packages/cli/dist/bench/sample.js';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    engine: { type: 'string', default: 'torch' },
    device: { type: 'string', default: 'cpu' },
    tf32: { type: 'boolean', default: false },
    graphs: { type: 'boolean', default: false },
    json: { type: 'string' },
    threads: { type: 'string', default: '2' },
    width: { type: 'string', default: '16' },
    images: { type: 'string', default: '64' },
    queries: { type: 'string', default: '5000' },
    steps: { type: 'string', default: '100' },
    epsilon: { type: 'string', default: '0.05' },
    pairs: { type: 'string', default: '3' },
    stages: { type: 'string', default: 'apgd-ce,apgd-t,fab-t,square' },
  },
});
const [threads, width, images, queries, steps, pairs] = ['threads', 'width', 'images', 'queries', 'steps', 'pairs'].map(
  (name) => Number(flags[name]),
);
const epsilon = Number(flags.epsilon);
const chosen = flags.stages.split(',');
process.env.BULWARK_THREADS ??= flags.threads;
const { device, tf32, graphs } = flags;
const request = flags.engine === 'torch' ? { use: 'torch', device, tf32, graphs, threads } : { use: flags.engine };
await useEngine(request, { engines: enginesOf(builtinRegistry()) });

const services = { registry: builtinRegistry(), baseFolder: process.cwd() };
const input = {
  data: { use: 'fashion-mnist-mini' },
  model: { use: 'resnet18', width },
  threat: { norm: 'linf', epsilon },
  objective: { use: 'at', inner: { steps: 3, stepSize: epsilon / 2 } },
  optimizer: { use: 'sgd', learningRate: 0.05 },
  epochs: 1,
};
const { config, registry } = await checkRun(input, services);
const { parts, services: made } = await compose(config, { ...services, registry });
const { model, data, threat } = parts;

console.log(`trains ${steps} steps`);
const random = createRandom(1, 'compare');
const context = { model, threat, random, epoch: 0, epochs: 1 };
const order = random.permutation(data.train.labels.length);
for (let step = 0; step < steps; step++) {
  const from = (step * 64) % (order.length - 64);
  const batch = takeExamples(data.train, order.subarray(from, from + 64));
  disposeOutcome(trainStep(batch, { ...parts, learningRate: 0.05, context }));
  disposeBatch(batch);
}
const batch = takeExamples(
  data.test,
  Array.from({ length: images }, (_, i) => i),
);

const script = fileURLToPath(new URL('compare_autoattack.py', import.meta.url));
const child = spawn(
  flags.python,
  [script, JSON.stringify({ threads, width, queries, epsilon, stages: chosen, device, tf32 })],
  {
    stdio: ['pipe', 'pipe', 'inherit'],
  },
);
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

/** Flags and seconds of each stage, on who is left, as AutoAttack runs them. */
async function ours(seed) {
  const { stages } = made.make('attack', { use: 'autoattack', ...(queries !== 5000 && { queries }) });
  const clean = await judge({ label: 'clean', run: (x) => x.clone() }, batch, { model, threat, random });
  clean.candidates.dispose();
  let alive = clean.verdicts.flatMap(({ misclassified }, i) => (misclassified ? [] : [i]));
  const seconds = {};
  for (const stage of stages.filter(({ label }) => chosen.includes(label))) {
    const part = takeExamples(data.test, alive);
    const began = performance.now();
    if (alive.length > 0) {
      const found = await judge(stage, part, { model, threat, random: createRandom(seed, 'evaluation') });
      found.candidates.dispose();
      alive = alive.filter((_, k) => !breaks(found.verdicts[k]));
    }
    seconds[stage.label] = (performance.now() - began) / 1000;
    disposeBatch(part);
  }
  return { robust: Array.from({ length: images }, (_, i) => Number(alive.includes(i))), seconds };
}
async function theirs() {
  child.stdin.write('run\n');
  const [line] = await Promise.race([once(lines, 'line'), ended]);
  return JSON.parse(line);
}

const sum = (seconds) => Object.values(seconds).reduce((total, each) => total + each, 0);
const round = (value) => Number(value.toPrecision(3));
const ratios = [];
const results = [];
for (let pair = 0; pair < pairs; pair++) {
  const [our, their] = [await ours(pair), await theirs()];
  results.push({ our, their });
  if (flags.json) writeFileSync(flags.json, JSON.stringify({ request, width, images, queries, epsilon, results }));
  const differing = our.robust.filter((flag, i) => flag !== their.robust[i]).length;
  ratios.push(sum(our.seconds) / sum(their.seconds));
  for (const stage of Object.keys(our.seconds)) {
    const [a, b] = [our.seconds[stage], their.seconds[stage]];
    console.log(`  ${stage}  ${round(a)} s / ${round(b)} s = ${round(a / b)}`);
  }
  const left = our.robust.filter(Boolean).length;
  console.log(
    `${round(sum(our.seconds))} s / ${round(sum(their.seconds))} s = ${round(ratios.at(-1))}; ` +
      `${left} of ${images} robust, ${differing} flags differ (other noise on each side)`,
  );
}
ended.catch(() => undefined);
child.stdin.end();
await once(child, 'close');
const { median, lowest, highest } = sampleOf(ratios);
console.log(
  `AutoAttack standard (${chosen.join(', ')}), ${flags.engine}, ResNet-18 of width ${width}, ${threads} threads: ` +
    `ratio of a pair ${round(median)} (${round(lowest)} to ${round(highest)})`,
);
