// What fewer bits do to training: trains the demo's methods with each seed in float32 and otherwise, and evaluates all in float32:
//   npm run build && node scripts/measure-reduced-precision.mjs [--engine torch] [--threads 1] [--methods at,trades,st] [--seeds 5] [--jobs 1]
// bfloat16 concerns the passes of attacks, tf32 all products of training. On an NVIDIA GPU: --device cuda:0 --precisions tf32,bfloat16,tf32+bfloat16 --jobs 8.
// Elsewhere tf32 is emulated (--engine torch --precisions tf32): accuracies are those that rounded factors give, times mean nothing.
// On tensorflow, without instructions for bfloat16 the times mean nothing; BULWARK_BFLOAT16=1 gives the accuracies all the same.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { useEngine } from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import { builtinRegistry } from '@bulwark/cli';
import { runDemoMethod } from '../packages/cli/dist/demo/run-method.js';

const { values: flags } = parseArgs({
  options: {
    engine: { type: 'string', default: 'torch' },
    device: { type: 'string' },
    threads: { type: 'string' },
    methods: { type: 'string', default: 'at,trades,st' },
    precisions: { type: 'string', default: 'bfloat16' },
    seeds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: '1' },
    json: { type: 'string' },
    // one process's part
    only: { type: 'string' },
  },
});
const precisions = ['float32', ...flags.precisions.split(',')];
const onNvidia = flags.device?.startsWith('cuda') ?? false;
const bitsOf = (precision) => ({ tf32: precision.includes('tf32'), reducedPrecision: precision.includes('bfloat16') });
const engineOf = ({ tf32 }) => ({
  use: flags.engine,
  ...(flags.threads && { threads: Number(flags.threads) }),
  ...(flags.device && { device: flags.device }),
  ...(tf32 && { tf32: onNvidia || 'emulated' }),
});

/** Accuracies in [0, 1], and what an epoch took. */
async function train(method, { seed, precision }) {
  const { tf32, reducedPrecision } = bitsOf(precision);
  const engine = engineOf({ tf32 });
  const started = await useEngine(engine, { engines: enginesOf(builtinRegistry()), reducedPrecision });
  if (reducedPrecision && !started.reducedPrecision) throw new Error(started.reason);
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-precision-'));
  let result;
  const tell = (message) => {
    if (message.kind === 'result') ({ result } = message);
  };
  const beforeEvaluation = () => useEngine(engineOf({}), { engines: enginesOf(builtinRegistry()) });
  await runDemoMethod(method, { seed, folder, tell, change: { engine, reducedPrecision }, beforeEvaluation });
  rmSync(folder, { recursive: true });
  return result;
}

if (flags.only) {
  const [method, seed] = flags.only.split(',');
  const row = {};
  for (const precision of precisions) row[precision] = await train(method, { seed: Number(seed), precision });
  console.log(JSON.stringify(row));
  process.exit();
}

/** All precisions of one method and seed, in a process of its own. */
const inProcess = (method, seed) =>
  new Promise((done, failed) => {
    const args = [...process.argv.slice(1), '--only', `${method},${seed}`];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.on('close', (code) => (code === 0 ? done(JSON.parse(text)) : failed(new Error(`${args.at(-1)}: ${code}`))));
  });

if (!onNvidia && precisions.some((each) => bitsOf(each).tf32)) console.log('tf32 is emulated: no --device cuda');
const methods = flags.methods.split(',');
const seeds = Array.from({ length: Number(flags.seeds) }, (_, i) => i + 1);
const waiting = seeds.flatMap((seed) => methods.map((method) => ({ method, seed })));
const rows = [];
const worker = async () => {
  for (let job = waiting.shift(); job; job = waiting.shift()) {
    const found = await inProcess(job.method, job.seed);
    rows.push({ ...job, found });
    console.log(
      `${job.method} seed ${job.seed}: ${precisions.map((each) => JSON.stringify(found[each].accuracy)).join(' ')}`,
    );
    if (flags.json) writeFileSync(flags.json, JSON.stringify(rows));
  }
};
await Promise.all(Array.from({ length: Number(flags.jobs) }, worker));

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));

for (const method of methods) {
  const pairs = rows.filter((row) => row.method === method).map(({ found }) => found);
  for (const precision of precisions.slice(1)) {
    const ratios = pairs.map((pair) => pair[precision].secondsPerEpoch / pair.float32.secondsPerEpoch);
    console.log(`${method}  time of an epoch in ${precision}: ${mean(ratios).toFixed(2)} of that in float32`);
    for (const attack of Object.keys(pairs[0].float32.accuracy)) {
      const of = (kind) => pairs.map((pair) => 100 * pair[kind].accuracy[attack]);
      const differences = of(precision).map((value, at) => value - of('float32')[at]);
      console.log(
        `${method}  ${attack.padEnd(8)}float32 ${mean(of('float32')).toFixed(2)}  ${precision} ${mean(of(precision)).toFixed(2)}  ` +
          `difference ${mean(differences).toFixed(2)}, of one seed +-${deviation(differences).toFixed(2)}`,
      );
    }
  }
}
