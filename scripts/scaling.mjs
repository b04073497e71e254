// What training by several processes costs on this machine, and what a model makes of it for more: node scripts/scaling.mjs [config.yaml]
// [--set path=value ...]. Needs `npm run build` and `bulwark engine install mpi`. docs/scaling.md has the model.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findMpiRun, openMpi, placeAmongRanks } from '@bulwark/collective-mpi';
import { parameterCount } from '@bulwark/core';
import { checkRun, compose, engineOf } from '@bulwark/core/run';
import { train } from '@bulwark/core/trainer';
import { loadConfig } from '../packages/cli/dist/config/load.js';
import { override } from '../packages/cli/dist/config/override.js';
import { builtinRegistry } from '../packages/cli/dist/registry.js';

/** The fastest of several: what the machine can do while nobody else uses it. */
const fastest = (values) => Math.min(...values);

/** The same collective, which says how long it took and how many bytes it was given. */
function measured(collective) {
  const spent = { seconds: 0, bytes: 0, calls: 0 };
  const timed =
    (work) =>
    (...given) => {
      const began = performance.now();
      const result = work(...given);
      spent.seconds += (performance.now() - began) / 1000;
      spent.bytes += given[0]?.byteLength ?? 0;
      spent.calls++;
      return result;
    };
  const { allReduce, allGather } = collective;
  return { spent, collective: { ...collective, allReduce: timed(allReduce), allGather: timed(allGather) } };
}

/** Seconds of a sum of so many numbers, alone. */
function secondsOfSum(collective, count) {
  const values = new Float32Array(count);
  const times = Array.from({ length: 9 }, () => {
    collective.barrier();
    const began = performance.now();
    collective.allReduce(values);
    return (performance.now() - began) / 1000;
  });
  return fastest(times);
}

/** One rank, or a process alone: steps of the config with whole batches of these sizes, then sums alone. */
async function measure(config, baseFolder, sizes) {
  const place = placeAmongRanks();
  const real = place && openMpi(place, { seconds: 300 });
  const steps = [];
  let parameters = 0;
  for (const batchSize of sizes) {
    const input = override({ ...config, epochs: 1 }, [
      `data.batchSize=${batchSize}`,
      `data.limit.train=${5 * batchSize}`,
      'data.limit.test=10',
      'data.validation=0',
    ]);
    const checked = await checkRun(input, { registry: builtinRegistry(), baseFolder });
    await engineOf(checked.config, checked.registry);
    const { parts } = await compose(checked.config, { registry: checked.registry, baseFolder });
    parameters = parameterCount(parts.model);
    const synchronised = checked.config.batchNorm.use === 'synchronised';
    const { spent, collective } = real ? measured(real) : { spent: { seconds: 0, bytes: 0, calls: 0 } };
    const seen = [];
    let before = { ...spent };
    parts.bus.on('step', ({ seconds }) => {
      seen.push({ seconds, waiting: spent.seconds - before.seconds, bytes: spent.bytes - before.bytes });
      before = { ...spent };
    });
    await train(
      { ...parts, collective },
      { seed: 1, epochs: 1, batchSize, validateEvery: 1, checkpointSeconds: 1e9, synchronised },
    );
    const [, ...warm] = seen; // the first one compiles and allocates
    steps.push({ batchSize, ...warm.toSorted((a, b) => a.seconds - b.seconds)[0] });
    parts.model.dispose();
  }
  const sums = real
    ? [256, 16_384, 262_144, 1_048_576, 4_194_304, 11_173_962].map((count) => ({
        bytes: 4 * count,
        seconds: secondsOfSum(real, count),
      }))
    : [];
  if (!real || real.rank === 0) process.stdout.write(`\n${JSON.stringify({ steps, sums, parameters })}\n`);
  real?.close();
}

/** Least squares of y = a + b x, weighted so that all relative errors count alike. */
function line(points) {
  let [s, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
  for (const [x, y] of points) {
    const w = 1 / (y * y);
    [s, sx, sy, sxx, sxy] = [s + w, sx + w * x, sy + w * y, sxx + w * x * x, sxy + w * x * y];
  }
  const b = (s * sxy - sx * sy) / (s * sxx - sx * sx);
  return { a: Math.max(0, (sy - b * sx) / s), b: Math.max(0, b) };
}

function report(one, two, sizes) {
  const row = (cells) => console.log(cells.map((cell) => String(cell).padStart(14)).join(''));
  const ms = (seconds) => (1000 * seconds).toFixed(seconds < 0.01 ? 2 : 0);
  console.log(
    `${one.parameters} parameters: a sum of gradients is ${(one.parameters * 4e-6).toFixed(2)} MB\n\nmeasured, ms`,
  );
  row(['batch', '1 rank', '2 ranks', 'of it sums', 'MB summed']);
  for (const [i, { batchSize, seconds }] of one.steps.entries()) {
    const pair = two.steps[i];
    row([batchSize, ms(seconds), ms(pair.seconds), ms(pair.waiting), (pair.bytes / 1e6).toFixed(3)]);
  }
  console.log('\nsums alone, 2 ranks');
  row(['MB', 'ms', 'model, ms']);
  // the smallest is latency, the largest no longer fits into any cache
  const latency = two.sums[0].seconds;
  const perByte = (two.sums.at(-1).seconds - latency) / two.sums.at(-1).bytes;
  for (const { bytes, seconds } of two.sums)
    row([(bytes / 1e6).toFixed(3), ms(seconds), ms(latency + perByte * bytes)]);
  const step = line(one.steps.map(({ batchSize, seconds }) => [batchSize, seconds]));
  console.log(
    `\nstep of one rank: ${ms(step.a)} + ${ms(step.b)} ms an example; sum of M bytes by P ranks: ${ms(latency)} ms (P - 1) + 2 (P - 1) / P M / ${(1e-6 / perByte).toFixed(0)} MB/s`,
  );
  const sum = (ranks) => latency * (ranks - 1) + ((2 * (ranks - 1)) / ranks) * perByte * two.steps[0].bytes;
  const largest = sizes.at(-1);
  console.log(
    `\nby the model: every rank with a machine such as this and a link as between these two, whole batch ${largest}`,
  );
  row(['ranks', 'step, ms', 'of it sums', 'speedup', 'batch for 10%']);
  for (const ranks of [2, 4, 8, 16, 32, 64]) {
    const seconds = step.a + (step.b * largest) / ranks + sum(ranks);
    const speedup = (step.a + step.b * largest) / seconds;
    // the whole batch from which sums take less than a tenth of the step
    const enough = Math.ceil((ranks * Math.max(0, 9 * sum(ranks) - step.a)) / step.b);
    row([ranks, ms(seconds), ms(sum(ranks)), speedup.toFixed(2), enough]);
  }
}

const [path, ...words] = process.argv.slice(2);
const sets = words.filter((word) => word !== '--set');
const { input, baseFolder } = path
  ? await loadConfig(path)
  : {
      input: {
        engine: { use: 'wasm', threads: 1 },
        data: { use: 'fashion-mnist-mini' },
        model: { use: 'small-cnn', width: 16 },
        threat: { epsilon: 0.1 },
        objective: { use: 'at', inner: { steps: 3 } },
      },
      baseFolder: process.cwd(),
    };
const sizes = [16, 32, 64];
if (process.env.SCALING_RANK) await measure(override(input, sets), baseFolder, sizes);
else {
  const { program, flags } = await findMpiRun();
  const self = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const env = { ...process.env, SCALING_RANK: '1', BULWARK_THREADS: '1' };
  const ran = (file, args) => {
    const said = execFileSync(file, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] });
    return JSON.parse(said.trim().split('\n').at(-1));
  };
  report(ran(self[0], self.slice(1)), ran(program, [...flags, '-n', '2', ...self]), sizes);
}
