// Measures the webgpu engine on this machine's GPU, part by part, each in a process of its own within a time limit:
//   npm run build && node scripts/webgpu-check.mjs [--batch 128] [--limit 75] [--out webgpu-check.json] [--parts numbers,convolutions]
// What fails is told, and what was found so far is in --out.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureConvolutions, measureKernels } from './webgpu-check/kernels.mjs';
import { checkNumbers } from './webgpu-check/numbers.mjs';
import { countShaders, measureSteps, profileSteps } from './webgpu-check/steps.mjs';

const { values: flags } = parseArgs({
  options: {
    batch: { type: 'string', default: '128' },
    steps: { type: 'string', default: '10' },
    model: { type: 'string', default: 'resnet18' },
    limit: { type: 'string', default: '75' },
    out: { type: 'string', default: 'webgpu-check.json' },
    parts: { type: 'string' },
    part: { type: 'string' },
  },
});
const settings = { batch: Number(flags.batch), steps: Number(flags.steps), model: flags.model };

const exact = 'disable-dawn-features=timestamp_quantization';
/** In the order in which they are wanted, each with its share of the time and what its process is told. */
const parts = {
  steps: { seconds: 35, measure: (given) => measureSteps(given, ['at', 'trades', 'st']) },
  profile: { seconds: 25, measure: profileSteps, env: { BULWARK_WEBGPU_DAWN: exact } },
  convolutions: { seconds: 40, measure: measureConvolutions, env: { BULWARK_WEBGPU_DAWN: exact } },
  'steps unchecked': {
    seconds: 20,
    measure: (given) => measureSteps(given, ['at', 'st']),
    env: { BULWARK_WEBGPU_DAWN: 'enable-dawn-features=skip_validation,disable_robustness' },
  },
  'steps not validated': {
    seconds: 20,
    measure: (given) => measureSteps(given, ['at', 'st']),
    env: { BULWARK_WEBGPU_DAWN: 'enable-dawn-features=skip_validation' },
  },
  'steps submits of 15': {
    seconds: 20,
    measure: (given) => measureSteps(given, ['at', 'st']),
    env: { BULWARK_WEBGPU_SUBMIT: '15' },
  },
  'steps submits of 250': {
    seconds: 20,
    measure: (given) => measureSteps(given, ['at', 'st']),
    env: { BULWARK_WEBGPU_SUBMIT: '250' },
  },
  numbers: { seconds: 25, measure: checkNumbers },
  kernels: { seconds: 15, measure: measureKernels },
  shaders: { seconds: 30, measure: countShaders },
};

/** Runs a part as a child, and hands on what it prints; its lines of JSON are what it found. */
function run(name, seconds) {
  return new Promise((done) => {
    const child = spawn(
      process.execPath,
      [
        fileURLToPath(import.meta.url),
        '--part',
        name,
        ...['batch', 'steps', 'model'].flatMap((flag) => [`--${flag}`, flags[flag]]),
      ],
      {
        env: { ...process.env, ...parts[name].env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const found = [];
    let rest = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines)
        if (line.startsWith('{')) found.push(JSON.parse(line));
        else console.log(line);
    });
    child.stderr.on('data', (chunk) => (errors += chunk));
    const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * seconds);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const why = code === 0 ? undefined : `${signal ?? code}: ${errors.trim().split('\n').slice(-6).join(' | ')}`;
      if (why) console.log(`${name} ended by ${why}`);
      done({ found, why });
    });
  });
}

if (flags.part !== undefined) {
  await parts[flags.part].measure(settings);
  process.exit(0); // the GPU's threads go with it
}

const began = performance.now();
const report = { batch: settings.batch, node: process.version, parts: {} };
for (const name of flags.parts?.split(',') ?? Object.keys(parts)) {
  const gone = (performance.now() - began) / 1000;
  const left = Number(flags.limit) - gone;
  console.log(`--- ${name} (${gone.toFixed(1)} s gone)`);
  report.parts[name] = left < 3 ? { why: 'no time left' } : await run(name, Math.min(left, parts[name].seconds));
  writeFileSync(flags.out, `${JSON.stringify(report, null, 1)}\n`);
}
console.log(`${((performance.now() - began) / 1000).toFixed(1)} s in all`);
