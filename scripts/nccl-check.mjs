// Sums over NCCL on this machine's GPUs, against sums through the memory of the host: node scripts/nccl-check.mjs, or
// mpirun -n 4 --bind-to none node scripts/nccl-check.mjs with several GPUs (and `bulwark engine install mpi`). Needs `npm run build` and
// `bulwark engine install torch`. Prints one line of JSON; ends with 1 where ok is false. --device cpu tries the script itself.
import { parseArgs } from 'node:util';
import { currentSession } from '@bulwark/core/engine';
import { hostSums } from '@bulwark/core/collective';
import { checkRun, compose, engineOf } from '@bulwark/core/run';
import { sharedRanks, threadCollective } from '@bulwark/core/testing';
import { initialState, takeSnapshot, train } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { openRanks } from '../packages/cli/dist/index.js';
import { builtinRegistry } from '../packages/cli/dist/registry.js';

const { values: flags } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    model: { type: 'string', default: 'resnet18' },
    batch: { type: 'string', default: '128' },
    steps: { type: 'string', default: '6' },
  },
});
const began = performance.now();
const secondsSince = (from) => (performance.now() - from) / 1000;
const collective = openRanks() ?? threadCollective(sharedRanks(1, 1 << 27), { rank: 0 });
const { rank, size } = collective;
const [batchSize, steps] = [Number(flags.batch), Number(flags.steps)];
const registry = builtinRegistry();
const { config } = await checkRun(
  {
    name: 'nccl-check',
    engine: { use: 'torch', device: flags.device, deterministic: true },
    data: { use: 'fashion-mnist-mini', limit: { train: batchSize * steps, test: 10 }, validation: 0, batchSize },
    model: flags.model,
    threat: { epsilon: 0.1 },
    objective: { use: 'trades', inner: { steps: 2 } },
    epochs: 1,
  },
  { registry, baseFolder: process.cwd() },
);
await engineOf(config, registry);
const session = currentSession();

/** Sums of numbers that are known, of 4 kB to 64 MB: how far off they are, and how long they take at best. */
function known(sums) {
  const expected = (size * (size + 1)) / 2;
  return [1_000, 250_000, 4_000_000, 16_000_000].map((count) => {
    let [off, fastest] = [0, Infinity];
    for (let round = 0; round < 5; round++) {
      const own = tf.fill([count], rank + 1);
      tf.slice(own, 0, 1).dataSync(); // it is there
      const from = performance.now();
      const [sum] = sums.start([own])();
      const last = tf.slice(sum, count - 1, 1).dataSync()[0];
      fastest = Math.min(fastest, performance.now() - from);
      off = Math.max(off, Math.abs(last - expected), tf.max(tf.abs(tf.sub(sum, expected))).dataSync()[0]);
      sum.dispose();
    }
    sums.check();
    return { MB: (4 * count) / 1e6, ms: Number(fastest.toFixed(3)), off };
  });
}

/** Trains the same network from the start, with these sums. */
async function trained(sums) {
  const { parts } = await compose(config, { registry, baseFolder: process.cwd() });
  const seconds = [];
  parts.bus.on('step', (step) => seconds.push(step.seconds));
  await train(
    { ...parts, collective, sums },
    { seed: 1, epochs: 1, batchSize, validateEvery: 1, checkpointSeconds: 1e9 },
  );
  const { tensors } = await takeSnapshot(initialState({ seed: 1 }), parts);
  parts.model.dispose();
  const ms = seconds.slice(1).toSorted((a, b) => a - b)[0] * 1000; // the first one measures kernels
  return { tensors, ms: Number(ms.toFixed(1)) };
}

function difference(a, b) {
  let most = 0;
  for (const [name, { data }] of a.tensors)
    data.forEach((value, i) => {
      const by = Math.abs(value - b.tensors.get(name).data[i]);
      if (!(by <= most)) most = by; // NaN is larger than anything
    });
  return most;
}

const report = { ok: false, ranks: size, device: session.device, engine: session.description };
try {
  const opened = performance.now();
  const found = await session.sums(collective);
  const host = hostSums(collective);
  const sums = found && 'start' in found ? found : hostSums(collective, { bucketBytes: 1e6 });
  Object.assign(report, {
    sums: sums.name,
    ...(found?.reason && { reason: found.reason }),
    opened: secondsSince(opened),
  });
  report.known = known(sums);
  await trained(host); // kernels are chosen
  const [byHost, byNccl] = [await trained(host), await trained(sums)];
  report.stepMs = { host: byHost.ms, [sums.name]: byNccl.ms };
  report.difference = difference(byHost, byNccl);
  sums.check();
  sums.close();
  const isNccl = sums.name.startsWith('NCCL');
  // up to two ranks nothing is rounded in another order
  report.ok =
    (isNccl || flags.device === 'cpu') &&
    report.known.every(({ off }) => off === 0) &&
    report.difference <= (size <= 2 ? 1e-5 : 1e-3);
} catch (error) {
  report.error = error.message;
}
report.seconds = Number(secondsSince(began).toFixed(1));
if (rank === 0) console.log(JSON.stringify(report));
if (!report.error) collective.close();
process.exitCode = report.ok ? 0 : 1;
