// Packs every package, installs the tarballs in empty projects outside of the repository, and uses them as a stranger would: publint,
// weight, types and imports under three module settings, a page, the command through npx. Run `npm run build` first.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { pack } from './pack.mjs';

const names = [
  'core',
  'objectives',
  'models',
  'datasets',
  'inference',
  'engine-tensorflow',
  'engine-torch',
  'collective-mpi',
  'engine-webgpu',
  'cli',
  'create-bulwark',
];
const home = mkdtempSync(join(tmpdir(), 'bulwark-packages-'));
const project = join(home, 'project');
const problems = [];
const packageName = (name) => (name.startsWith('create-') ? name : `@bulwark/${name}`);
const run = (file, args, cwd = project) =>
  execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const write = (name, text) => writeFileSync(join(project, name), text);

console.log(`packing into ${home}`);
const tarballs = [];
for (const name of names) {
  const { tarball, files, size } = await pack(name, home);
  const { exports: entries, bin = {} } = JSON.parse(readFileSync(`packages/${name}/package.json`, 'utf8'));
  for (const needed of [
    'README.md',
    'LICENSE',
    ...Object.values(bin),
    ...Object.values(entries).flatMap((entry) => Object.values(entry)),
  ])
    if (!files.includes(needed.replace('./', '')))
      problems.push(`${packageName(name)}: ${needed} is not in the tarball`);
  for (const path of files)
    if (/\.test\.|tsbuildinfo|^src\//.test(path)) problems.push(`${packageName(name)}: ${path} is in the tarball`);
  console.log(`${packageName(name)}: ${files.length} files, ${(size / 1e6).toFixed(2)} MB`);
  tarballs.push(tarball);
}

/** Installs in an empty folder. Returns the megabytes that it takes there, in blocks as `du -sm` counts them. */
function install(folder, parts, ...flags) {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
  const chosen = parts.map((name) => tarballs[names.indexOf(name)]);
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...flags, ...chosen], folder);
  const blocks = readdirSync(join(folder, 'node_modules'), { recursive: true, withFileTypes: true }).map(
    (entry) => lstatSync(join(entry.parentPath, entry.name)).blocks,
  );
  return Math.ceil(blocks.reduce((sum, count) => sum + count, 0) / 2048);
}

for (const [what, most, parts] of [
  ['a service', 60, ['core', 'models', 'datasets', 'inference']],
  ['the command', 60, names.filter((name) => !/^(engine-tensorflow|engine-webgpu|create-.*)$/.test(name))],
]) {
  const megabytes = install(join(home, what), parts);
  console.log(`${what}: ${megabytes} MB installed`);
  if (megabytes >= most) problems.push(`${what} takes ${megabytes} MB once installed; it may take ${most}`);
}

install(project, names, '--omit=optional');
for (const name of names) {
  const { messages } = await publint({
    pkgDir: join(project, 'node_modules', packageName(name)),
    strict: true,
    pack: false,
  });
  for (const message of messages) problems.push(`${packageName(name)}: ${formatMessage(message, {}) ?? message.code}`);
}
if (existsSync(join(project, 'node_modules/@tensorflow/tfjs-core')))
  problems.push('a package depends on TensorFlow.js');

const specifiers = [
  ...names.map(packageName),
  '@bulwark/core/testing',
  '@bulwark/core/browser',
  '@bulwark/core/install',
  '@bulwark/core/tfjs',
  '@bulwark/core/tfjs-layers',
];
write(
  'use.ts',
  `${specifiers.map((from, i) => `import * as m${i} from '${from}';`).join('\n')}
import { crossEntropy, defineObjective, type Objective } from '@bulwark/core';
import * as tf from '@bulwark/core/tfjs';
import { pgd, trades } from '@bulwark/objectives';
export const all = [${specifiers.map((_, i) => `m${i}`).join(', ')}];
export const make: (typeof trades)['create'] = trades.create;
export const kept: Objective | undefined = undefined;
export const parts = [defineObjective, pgd];
export const loss: tf.Tensor1D = crossEntropy(tf.zeros<tf.Rank.R2>([2, 3]), tf.tensor1d([0, 1], 'int32'));
`,
);
// what "are the types wrong" asks: does every entry resolve, under each way of resolving modules
const tsc = resolve('node_modules/typescript/bin/tsc');
for (const [module, moduleResolution] of [
  ['NodeNext', 'NodeNext'],
  ['ESNext', 'Bundler'],
  ['Node16', 'Node16'],
])
  try {
    const options = [
      '--strict',
      '--noEmit',
      '--target',
      'ES2022',
      '--skipLibCheck',
      '--module',
      module,
      '--moduleResolution',
      moduleResolution,
    ];
    run(process.execPath, [tsc, ...options, 'use.ts']);
    console.log(`types resolve with moduleResolution ${moduleResolution}`);
  } catch (error) {
    problems.push(`types with moduleResolution ${moduleResolution}: ${error.stdout}`);
  }

write(
  'use.mjs',
  `${specifiers.map((from, i) => `import * as m${i} from '${from}';`).join('\n')}
for (const [i, m] of [${specifiers.map((_, i) => `m${i}`).join(', ')}].entries()) if (Object.keys(m).length === 0) throw new Error('empty: ' + i);
console.log('imports resolve');
`,
);
write(
  'page.js',
  `import { attackStep, linf } from '@bulwark/core/browser';
import '@bulwark/core/tfjs-backend-cpu';
import { setWasmPaths } from '@bulwark/core/tfjs-backend-wasm';
import { loadLayersModel } from '@bulwark/core/tfjs-layers';
export { attackStep, linf, setWasmPaths, loadLayersModel };
`,
);
try {
  const page = {
    entryPoints: [join(project, 'page.js')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    minify: true,
  };
  const { outputFiles } = await build({ ...page, write: false, logLevel: 'silent' });
  console.log(`a page with Layers models, wasm and attacks: ${Math.round(outputFiles[0].contents.length / 1000)} kB`);
} catch (error) {
  problems.push(`a page does not bundle: ${error.message}`);
}
write(
  'tiny.yaml',
  `name: tiny
engine: wasm
data: { use: fashion-mnist-mini, batchSize: 32, limit: { train: 64, test: 20 } }
model: { use: mlp, width: 8 }
threat: { epsilon: 0.1 }
objective: { use: trades, inner: { steps: 2 } }
epochs: 1
evaluation: { attacks: [{ use: fgsm }], examples: 20 }
`,
);
write(
  'sweep.yaml',
  `config: tiny.yaml
search: { use: grid, over: { objective.beta: [1, 6] } }
`,
);
for (const [file, ...args] of [
  [process.execPath, 'use.mjs'],
  ['npx', '--no-install', 'bulwark', '--version'],
  ['npx', '--no-install', 'bulwark', 'train', 'tiny.yaml'],
  ['npx', '--no-install', 'bulwark', 'reproduce', 'table1', '--scale', 'tiny', '--rows', 'cifar10/at', '--out', 'runs'],
  ['npx', '--no-install', 'bulwark', 'sweep', 'sweep.yaml'],
  ['npx', '--no-install', 'bulwark', 'report', 'runs/tiny', '--images', '0'],
  ['npx', '--no-install', 'bulwark', 'create', 'plugin', 'mine', '--kind', 'objective'],
  ['npx', '--no-install', 'create-bulwark', 'my-project'],
  ['npx', '--no-install', 'jiti', 'my-project/src/logit-pairing.test.ts'],
  [
    'npx',
    '--no-install',
    'bulwark',
    'train',
    'my-project/bulwark.yaml',
    '--set',
    'epochs=1',
    '--set',
    'data.limit.train=256',
  ],
])
  try {
    console.log(run(file, args).trim());
  } catch (error) {
    problems.push(`${args.join(' ')}: ${error.stdout}`);
  }

try {
  // pictures need a part that is optional, which the project above was installed without
  run(
    'npx',
    ['--no-install', 'bulwark', 'analyze', 'angles', join(project, 'runs/tiny'), '--images', '5'],
    join(home, 'the command'),
  );
  console.log('a figure is drawn');
} catch (error) {
  problems.push(`analyze angles: ${error.stdout}`);
}

console.log(`installed: ${readdirSync(join(project, 'node_modules')).length} entries in node_modules`);
rmSync(home, { recursive: true, force: true });
for (const problem of problems) console.error(`problem: ${problem}`);
console.log(problems.length === 0 ? 'all packages are ready' : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
