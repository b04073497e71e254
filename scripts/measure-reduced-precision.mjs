// What attacks in bfloat16 do to training: trains the demo's methods twice per seed on an engine that has it, with the attack's passes in
// float32 and in bfloat16, and evaluates both in float32:
//   npm run build && node scripts/measure-reduced-precision.mjs [--engine torch] [--threads 1] [--methods at,trades,st] [--seeds 5]
// On tensorflow, without instructions for bfloat16 the times mean nothing; BULWARK_BFLOAT16=1 gives the accuracies all the same.
import { mkdtempSync, rmSync } from 'node:fs';
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
    threads: { type: 'string' },
    methods: { type: 'string', default: 'at,trades,st' },
    seeds: { type: 'string', default: '5' },
  },
});
const engine = { use: flags.engine, ...(flags.threads && { threads: Number(flags.threads) }) };

const { reason, reducedPrecision } = await useEngine(engine, {
  engines: enginesOf(builtinRegistry()),
  reducedPrecision: true,
});
if (!reducedPrecision) throw new Error(reason);

/** Accuracies in per cent, and what an epoch took. */
async function train(method, { seed, reducedPrecision }) {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-precision-'));
  let result;
  const tell = (message) => {
    if (message.kind === 'result') ({ result } = message);
  };
  await runDemoMethod(method, { seed, folder, tell, change: { engine, reducedPrecision } });
  rmSync(folder, { recursive: true });
  return result;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));

for (const method of flags.methods.split(',')) {
  const pairs = [];
  for (let seed = 1; seed <= Number(flags.seeds); seed++) {
    const float32 = await train(method, { seed, reducedPrecision: false });
    const bfloat16 = await train(method, { seed, reducedPrecision: true });
    pairs.push({ float32, bfloat16 });
    console.log(`${method} seed ${seed}: ${JSON.stringify(float32.accuracy)} ${JSON.stringify(bfloat16.accuracy)}`);
  }
  const ratios = pairs.map(({ float32, bfloat16 }) => bfloat16.secondsPerEpoch / float32.secondsPerEpoch);
  console.log(`${method}  time of an epoch: ${mean(ratios).toFixed(2)} of that in float32`);
  for (const attack of Object.keys(pairs[0].float32.accuracy)) {
    const of = (kind) => pairs.map((pair) => 100 * pair[kind].accuracy[attack]);
    const differences = of('bfloat16').map((value, at) => value - of('float32')[at]);
    console.log(
      `${method}  ${attack.padEnd(8)}float32 ${mean(of('float32')).toFixed(2)}  bfloat16 ${mean(of('bfloat16')).toFixed(2)}  ` +
        `difference ${mean(differences).toFixed(2)}, of one seed +-${deviation(differences).toFixed(2)}`,
    );
  }
}
