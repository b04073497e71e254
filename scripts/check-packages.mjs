// Packs every package, installs the tarballs in an empty project outside of the repository, and uses them as a stranger would:
// publint, types and imports under three module settings, the command through npx. Run `npm run build` first.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

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
const tarballs = names.map((name) => {
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', home], resolve('packages', name)));
  const files = packed.files.map(({ path }) => path);
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
  console.log(`${packageName(name)}: ${files.length} files, ${(packed.size / 1e6).toFixed(2)} MB`);
  return join(home, packed.filename);
});

for (const name of names) {
  const { messages } = await publint({ pkgDir: resolve('packages', name), strict: true });
  for (const message of messages) problems.push(`${packageName(name)}: ${formatMessage(message, {}) ?? message.code}`);
}

mkdirSync(project);
write('package.json', JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
console.log('installing');
run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=optional', ...tarballs]);

const specifiers = [
  ...names.map(packageName),
  '@bulwark/core/testing',
  '@bulwark/core/browser',
  '@bulwark/core/install',
];
write(
  'use.ts',
  `${specifiers.map((from, i) => `import * as m${i} from '${from}';`).join('\n')}
import { defineObjective, type Objective } from '@bulwark/core';
import { pgd, trades } from '@bulwark/objectives';
export const all = [${specifiers.map((_, i) => `m${i}`).join(', ')}];
export const make: (typeof trades)['create'] = trades.create;
export const kept: Objective | undefined = undefined;
export const parts = [defineObjective, pgd];
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

console.log(`installed: ${readdirSync(join(project, 'node_modules')).length} entries in node_modules`);
rmSync(home, { recursive: true, force: true });
for (const problem of problems) console.error(`problem: ${problem}`);
console.log(problems.length === 0 ? 'all packages are ready' : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
