// What `npm run pack` changes in a copy of a package: core carries what Bulwark uses of TensorFlow.js, and all packages import it from there.
// As dependencies, its packages take 95 MB once installed: each has four builds, with source maps and tests.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

const require = createRequire(import.meta.url);
const packages = ['tfjs-core', 'tfjs-layers', 'tfjs-backend-cpu', 'tfjs-backend-wasm'];
/** The door of core to a package. */
const doorTo = (name) => (name === 'tfjs-core' ? 'tfjs' : name);

const readManifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const folderOf = (name) => dirname(require.resolve(`@tensorflow/${name}/package.json`));
const filesUnder = (folder, wanted) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => (entry.isFile() ? join(entry.parentPath, entry.name) : ''))
    .filter((file) => wanted.test(file));

/** Imports of TensorFlow.js in our files, as a tarball has them. */
const throughCore = (text) =>
  text.replace(
    /(\bfrom |\bimport |\bimport\(|equire\(|import\.meta\.url\)\()(['"])@tensorflow\/(tfjs-[a-z-]+)(?:\/dist\/types)?\2/g,
    (whole, before, quote, name) =>
      packages.includes(name) ? `${before}${quote}@bulwark/core/${doorTo(name)}${quote}` : whole,
  );

/** One package of TensorFlow.js: its build for Node, its modules for bundlers, its declarations; without maps, other builds and tests. */
function carryPackage(name, carried) {
  const from = folderOf(name);
  const { version, license, sideEffects, browser } = readManifest(from);
  // tfjs-layers imports the gradients by their path
  const entries = ['dist/index', ...(name === 'tfjs-core' ? ['dist/register_all_gradients'] : [])];
  const nodeBuild = `dist/${name.replace('tfjs', 'tf')}.node.js`;
  const paths = [
    nodeBuild,
    ...entries.flatMap((entry) => [...reachable(from, `${entry}.js`), ...reachable(from, `${entry}.d.ts`)]),
  ];
  const wasm = filesUnder(join(from, 'dist'), /\.wasm$/).map((file) => relative(from, file));
  for (const path of [...paths, ...wasm]) {
    const file = join(from, path);
    const to = join(carried, name, path);
    mkdirSync(dirname(to), { recursive: true });
    if (file.endsWith('.wasm')) cpSync(file, to);
    else
      writeFileSync(to, amongThemselves(readFileSync(file, 'utf8'), { to, carried, isNodeBuild: path === nodeBuild }));
  }
  const manifest = { name: `@tensorflow/${name}`, version, license, sideEffects, browser, private: true };
  writeFileSync(join(carried, name, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** A module or declaration and all that it imports by path, itself among them. */
function reachable(from, entry) {
  const ending = entry.endsWith('.d.ts') ? '.d.ts' : '.js';
  const found = new Set([entry]);
  for (const path of found)
    for (const [, , named] of readFileSync(join(from, path), 'utf8').matchAll(/(['"])(\.{1,2}\/[^'"\n]+)\1/g)) {
      const place = join(dirname(path), named).replaceAll('\\', '/');
      const file = [place, place + ending, `${place}/index${ending}`].find(
        (one) => existsSync(join(from, one)) && one.endsWith(ending),
      );
      if (file) found.add(file);
    }
  return found;
}

/** Imports of each other as paths, no source maps. */
const amongThemselves = (text, { to, carried, isNodeBuild }) =>
  text
    .replace(/\n\/\/# sourceMappingURL=.*/g, '')
    .replace(/(['"])@tensorflow\/(tfjs-[a-z-]+)(?:\/dist\/([\w/]+))?\1/g, (whole, quote, name, path) => {
      if (!packages.includes(name)) return whole;
      const file = isNodeBuild
        ? `${name.replace('tfjs', 'tf')}.node.js`
        : `${path ?? 'index'}${/\.d\.ts$/.test(to) ? '' : '.js'}`;
      const near = relative(dirname(to), join(carried, name, 'dist', file)).replaceAll('\\', '/');
      return quote + (near.startsWith('.') ? near : `./${near}`) + quote;
    });

const entry = (name) => ({
  types: `./dist/tensorflow/${name}/dist/index.d.ts`,
  node: `./dist/tensorflow/${name}/dist/${name.replace('tfjs', 'tf')}.node.js`,
  default: `./dist/tensorflow/${name}/dist/index.js`,
});

const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions: The above copyright notice and this permission notice shall be included in all copies or substantial portions
of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
const notice = (
  version,
) => `This folder has files of TensorFlow.js ${version}: @tensorflow/tfjs-core, -layers, -backend-cpu and -backend-wasm.
Copyright Google LLC. Apache License 2.0: see LICENSE. Changed: they import each other by path; source maps, tests and other builds are
left out.

Parts of tfjs-layers are under the MIT License, Copyright Google LLC, after Keras, Copyright François Chollet and others:

${mit}
`;

/** Puts the files into core, and what they need into its manifest. */
function carryInto(folder, manifest) {
  const carried = join(folder, 'dist/tensorflow');
  for (const name of packages) carryPackage(name, carried);
  const { version, dependencies } = readManifest(folderOf('tfjs-core'));
  cpSync(join(folder, 'LICENSE'), join(carried, 'LICENSE'));
  writeFileSync(join(carried, 'NOTICE'), notice(version));
  // what the carried files import; not node-fetch, since Node has its own
  for (const name of ['long', 'seedrandom', '@webgpu/types']) manifest.dependencies[name] = dependencies[name];
  for (const name of packages) manifest.exports[`./${doorTo(name)}`] = entry(name);
}

/** The engine on WebGPU has a package of its own, with a second copy of the tensors behind it: it carries its build, on those of core. */
function carryWebgpu(folder, manifest) {
  const from = folderOf('tfjs-backend-webgpu');
  const carried = join(folder, 'dist/tensorflow');
  mkdirSync(carried);
  const build = readFileSync(join(from, 'dist/tf-backend-webgpu.node.js'), 'utf8').replace(
    /\n\/\/# sourceMappingURL=.*/g,
    '',
  );
  writeFileSync(join(carried, 'tf-backend-webgpu.cjs'), throughCore(build));
  cpSync(join(folder, 'LICENSE'), join(carried, 'LICENSE'));
  const { version } = readManifest(from);
  writeFileSync(
    join(carried, 'NOTICE'),
    `A build of @tensorflow/tfjs-backend-webgpu ${version}, Copyright Google LLC. Apache License 2.0: see LICENSE. Changed: it imports core's tensors.\n`,
  );
  const file = join(folder, 'dist/load.js');
  const text = readFileSync(file, 'utf8');
  const packed = text.replace("'@tensorflow/tfjs-backend-webgpu'", "'./tensorflow/tf-backend-webgpu.cjs'");
  if (packed === text) throw new Error('load.js loads the backend in a way that is not known here');
  writeFileSync(file, packed);
  delete manifest.dependencies['@tensorflow/tfjs-backend-webgpu'];
}

/** Makes a copy of a package what is published. */
export function carryTfjs(folder) {
  for (const file of filesUnder(join(folder, 'dist'), /\.(js|d\.ts)$/)) {
    const text = readFileSync(file, 'utf8');
    const packed = throughCore(text).replace(/\n\/\/# sourceMappingURL=.*/, '');
    if (/['"]@tensorflow\/tfjs-(core|layers|backend-cpu|backend-wasm)['"]\)/.test(packed))
      throw new Error(`${file} loads TensorFlow.js in a way that is not known here`);
    if (packed !== text) writeFileSync(file, packed);
  }
  const manifest = readManifest(folder);
  for (const name of packages) delete manifest.dependencies?.[`@tensorflow/${name}`];
  if (manifest.name === '@bulwark/core') carryInto(folder, manifest);
  if (manifest.name === '@bulwark/engine-webgpu') carryWebgpu(folder, manifest);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}
