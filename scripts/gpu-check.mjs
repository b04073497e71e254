// What scripts/gpu-check.sh runs: the torch engine on this machine, from its build to an epoch of training, within a time limit.
//   scripts/gpu-check.sh [--device cuda:0 | cpu] [--batch 128] [--python python3] [--out gpu-check] [--limit 230] [--methods at,trades,st]
//                        [--models resnet18,wrn-28-10] [--pairs 3] [--steps 10] [--parts epoch,compare,verify,tf32,graphs,profile,larger,bench,webgpu] [--cache folder]
// More parts, which take minutes: autoattack (on 1,000 images, against PyTorch's). `--cache` keeps the engine that was built for the next call.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda:0' },
    batch: { type: 'string', default: '128' },
    python: { type: 'string', default: 'python3' },
    out: { type: 'string', default: 'gpu-check' },
    limit: { type: 'string', default: '230' },
    methods: { type: 'string', default: 'at,trades,st' },
    models: { type: 'string', default: 'resnet18,wrn-28-10' },
    pairs: { type: 'string', default: '3' },
    steps: { type: 'string', default: '10' },
    parts: { type: 'string', default: 'epoch,compare,verify,tf32,graphs,profile,larger,bench,webgpu' },
    cache: { type: 'string' },
  },
});
const onGpu = flags.device.startsWith('cuda');
const precisions = onGpu ? 'float32,tf32,tf32+graphs,bfloat16+graphs' : 'float32';
const threads = String(Math.min(16, cpus().length));
const here = fileURLToPath(new URL('..', import.meta.url));
const command = join(here, 'packages', 'cli', 'dist', 'main.js');
if (!existsSync(command))
  throw new Error(`${command} is missing: npm run build, or unpack what "gpu-check.sh pack" made`);
const out = resolve(flags.out);
const work = mkdtempSync(join(tmpdir(), 'bulwark-gpu-check-'));
mkdirSync(out, { recursive: true });
const began = Date.now();
const secondsGone = () => (Date.now() - began) / 1000;

/** All that was found out; written after each part, so that a machine that is taken away has told what it knew. */
const report = { device: flags.device, batch: Number(flags.batch), node: process.version, parts: {} };
const save = () => writeFileSync(join(out, 'gpu-check.json'), `${JSON.stringify(report, null, 2)}\n`);

/** Runs a program within its share of the time, and what it prints goes to a log, too. */
function run(program, args, seconds) {
  return new Promise((done) => {
    const child = spawn(program, args, {
      cwd: here,
      env: {
        ...process.env,
        BULWARK_CACHE: flags.cache ? resolve(flags.cache) : join(work, 'cache'),
        BULWARK_THREADS: threads,
        NO_COLOR: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let stdout = '';
    let all = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
      all += chunk;
    });
    child.stderr.on('data', (chunk) => (all += chunk));
    // its own children, too: PyTorch's process holds the GPU as well
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), 1000 * seconds);
    child.on('error', ({ message }) => done({ code: -1, stdout, all: message }));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      done({ code: code ?? -1, stdout, all: signal ? `${all}\nended by ${signal} after ${seconds} s` : all });
    });
  });
}

/** One part: what it found is kept, and that it failed or had no time left. */
async function part(name, seconds, [program, ...args], read = () => ({})) {
  const left = Number(flags.limit) - secondsGone();
  if (left < 5) {
    report.parts[name] = { ok: false, why: 'no time left' };
    console.log(`${name}: no time left`);
    return save();
  }
  const from = secondsGone();
  const { code, stdout, all } = await run(program, args, Math.min(seconds, left));
  writeFileSync(join(out, `${name}.log`), all);
  let found = {};
  let why = code === 0 ? undefined : all.trim().split('\n').slice(-3).join(' | ');
  try {
    found = read(stdout);
  } catch (error) {
    why ??= `cannot be read: ${error.message}`;
  }
  const took = Math.round(secondsGone() - from);
  report.parts[name] = { ok: why === undefined, seconds: took, ...(why && { why }), ...found };
  console.log(`${name}: ${why === undefined ? 'done' : 'FAILED'} in ${took} s${why ? `: ${why}` : ''}`);
  save();
}

const bulwark = (...args) => [process.execPath, command, ...args];
const engine = `torch:device=${flags.device}`;

/** An epoch of the demo's AT on this device. */
function demoConfig() {
  const file = join(work, 'demo.json');
  const config = {
    name: 'gpu-check',
    engine: { use: 'torch', device: flags.device },
    data: { use: 'fashion-mnist-mini', batchSize: 128 },
    model: 'small-cnn',
    threat: { norm: 'linf', epsilon: 0.1 },
    objective: { use: 'at', inner: { steps: 5, stepSize: 0.03 } },
    optimizer: { use: 'sgd', learningRate: 0.1 },
    epochs: 1,
    evaluation: { attacks: [{ use: 'pgd', steps: 10, stepSize: 0.025 }], examples: 250 },
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

const wanted = flags.parts.split(',');
const compared = (name) => () => ({ rows: JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8')) });
async function compare(name, seconds, settings) {
  const options = {
    python: flags.python,
    device: flags.device,
    pairs: flags.pairs,
    steps: flags.steps,
    threads,
    ...settings,
  };
  const file = join(out, `${name}.json`);
  const args = Object.entries({ ...options, json: file }).flatMap(([key, value]) => [`--${key}`, value]);
  await part(name, seconds, [process.execPath, join(here, 'scripts', 'compare-pytorch.mjs'), ...args], compared(name));
}

if (onGpu)
  await part('gpu', 10, ['nvidia-smi', '--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'], (text) => ({ name: text.trim() })); // prettier-ignore
await part('torch', 40, [flags.python, '-c', 'import torch; print(torch.__version__, torch.version.cuda)'], (text) => ({ version: text.trim() })); // prettier-ignore
await part('build', 100, bulwark('engine', 'install', 'torch', '--python', flags.python));
/** What can be asked for, in this order. */
const parts = {
  epoch: () =>
    part('epoch', 40, bulwark('train', demoConfig(), '--out', join(work, 'run'), '--json'), (text) => {
      const { last } = JSON.parse(text).summary;
      return { accuracy: last.accuracy ?? last.validation };
    }),
  compare: () => compare('compare', 120, { model: smaller, batch: flags.batch, methods: flags.methods, precisions }),
  verify: () =>
    part('verify', 60, bulwark('verify', '--engine', engine, '--json'), (text) => ({
      cases: JSON.parse(text).summary,
    })),
  async tf32() {
    if (!onGpu) return;
    const file = join(out, 'tf32.json');
    const check = [process.execPath, join(here, 'scripts', 'tf32-check.mjs'), '--device', flags.device, '--json', file];
    await part('tf32', 40, check, () => JSON.parse(readFileSync(file, 'utf8')));
  },
  graphs: () =>
    onGpu && part('graphs', 60, bulwark('verify', '--engine', `${engine}:graphs=true`, '--json'), (text) => ({ cases: JSON.parse(text).summary })), // prettier-ignore
  async profile() {
    const file = join(out, 'profile.json');
    const how = { device: flags.device, batch: flags.batch, steps: flags.steps, methods: 'at,st', precisions: onGpu ? 'tf32,tf32+graphs,bfloat16+graphs' : precisions, json: file }; // prettier-ignore
    const args = Object.entries(how).flatMap(([key, value]) => [`--${key}`, value]);
    await part('profile', 40, [process.execPath, join(here, 'scripts', 'profile-step.mjs'), ...args], () => ({
      steps: JSON.parse(readFileSync(file, 'utf8')).map(({ kernels, operators, ...step }) => ({ ...step, kernels: kernels.slice(0, 10), operators: operators.length })), // prettier-ignore
    }));
  },
  async larger() {
    for (const each of larger)
      await compare(`compare-${each}`, 60, { model: each, batch: flags.batch, methods: flags.methods.split(',')[0], precisions: onGpu ? 'tf32,bfloat16+graphs' : precisions, pairs: '3' }); // prettier-ignore
  },
  bench: () =>
    part('bench', 30, bulwark('bench', '--engine', engine, '--parts', 'speed,gradients', '--models', 'resnet18', '--quick', '--json'), (text) => ({ rows: JSON.parse(text) })), // prettier-ignore
  webgpu: () =>
    onGpu && compare('compare-webgpu', 60, { engine: 'webgpu', model: smaller, batch: flags.batch, methods: flags.methods, precisions: 'float32', pairs: '3' }), // prettier-ignore
  async autoattack() {
    const [file, script] = [join(out, 'autoattack.json'), join(here, 'scripts', 'compare-autoattack.mjs')];
    const how = ['--device', flags.device, '--width', '64', '--images', '1000', '--pairs', '1', '--tf32'];
    await part('autoattack', 300, [process.execPath, script, ...how, '--python', flags.python, '--threads', threads, '--json', file], () => JSON.parse(readFileSync(file, 'utf8'))); // prettier-ignore
  },
};
const unknown = wanted.find((name) => !(name in parts));
if (unknown !== undefined) throw new Error(`--parts ${unknown}: ${Object.keys(parts).join(', ')} are known`);
const [smaller, ...larger] = flags.models.split(',');
if (report.parts.build.ok) for (const name of Object.keys(parts)) if (wanted.includes(name)) await parts[name]();
report.seconds = Math.round(secondsGone());
save();
rmSync(work, { recursive: true, force: true });

const rows = Object.values(report.parts).flatMap(({ rows: found }) => (Array.isArray(found) ? found : []));
console.log(
  `\n${['model', 'method', 'precision', 'ours, ms', 'PyTorch, ms', 'in', 'ratio', 'ours, MB', 'PyTorch, MB'].join('\t')}`,
);
for (const row of rows)
  console.log([row.model, row.method, row.precision, Math.round(1000 * row.seconds), Math.round(1000 * row.theirSeconds), row.against, row.ratio.toFixed(2), row.megabytes, row.theirMegabytes].join('\t')); // prettier-ignore
const failed = Object.entries(report.parts).filter(([, { ok }]) => !ok);
console.log(`\n${report.seconds} s; ${failed.length === 0 ? 'all parts done' : `failed: ${failed.map(([name]) => name).join(', ')}`}; ${join(out, 'gpu-check.json')}`); // prettier-ignore
process.exitCode = failed.length === 0 ? 0 : 1;
