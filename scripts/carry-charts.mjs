// What `npm run pack` changes in a copy of the command line's package: it carries Vega and its font, bundled. As dependencies they are some
// fifty packages and 40 MB once installed, of which 3 are used.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);
const bundled = ['vega', 'vega-lite'];
const font = 'dejavu-fonts-ttf';
const fontFiles = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'];

/** The licence of each package that a bundle has code of. */
function licencesOf(inputs) {
  const folders = new Set(inputs.map((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)[0]));
  return [...folders, dirname(require.resolve(`${font}/package.json`))].sort().map((folder) => {
    const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
    if (!file) throw new Error(`${folder} has no licence to carry`);
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
}

/** Makes a copy of `@bulwark/cli` what is published. */
export async function carryCharts(folder) {
  const carried = join(folder, 'dist/charts');
  const { metafile } = await build({
    entryPoints: bundled.map((name) => ({ in: name, out: name })),
    outdir: carried,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    metafile: true,
    logLevel: 'error',
  });
  writeFileSync(join(carried, 'LICENSES'), licencesOf(Object.keys(metafile.inputs)).join(`\n${'-'.repeat(80)}\n\n`));
  mkdirSync(join(carried, font));
  for (const file of fontFiles) cpSync(require.resolve(`${font}/ttf/${file}`), join(carried, font, file));

  const place = join(folder, 'dist/report/chart/render.js');
  const text = readFileSync(place, 'utf8')
    .replace(/from '(vega|vega-lite)'/g, (_, name) => `from '../../charts/${name}.js'`)
    .replace(`${font}/ttf/`, `../../charts/${font}/`);
  if ([...bundled.map((name) => `'${name}'`), `${font}/ttf`].some((name) => text.includes(name)))
    throw new Error('render.js imports Vega or the font in a way that is not known here');
  writeFileSync(place, text);
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  for (const name of [...bundled, font]) delete manifest.dependencies[name];
  writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`);
}
