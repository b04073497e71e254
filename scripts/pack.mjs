// Packs all packages as they are published: npm run pack [-- folder]. Each is copied first, so that the working tree stays as it is.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { carryCharts } from './carry-charts.mjs';
import { carryTfjs } from './carry-tfjs.mjs';

const npm = (cwd, ...args) => {
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', ...args], { cwd, encoding: 'utf8' }));
  return packed;
};

/** Packs one package into `folder`. Returns its tarball, its files and its size. */
export async function pack(name, folder) {
  const home = resolve('packages', name);
  const copy = mkdtempSync(join(tmpdir(), `bulwark-pack-`));
  try {
    // source maps name sources that are not published
    for (const { path } of npm(home, '--dry-run').files.filter(({ path }) => !path.endsWith('.map'))) {
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      cpSync(join(home, path), join(copy, path));
    }
    carryTfjs(copy);
    if (name === 'cli') await carryCharts(copy);
    const { filename, files, size, unpackedSize } = npm(copy, '--pack-destination', resolve(folder));
    return { tarball: join(resolve(folder), filename), files: files.map(({ path }) => path), size, unpackedSize };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder = 'tarballs'] = process.argv.slice(2);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync('packages')) {
    const { tarball, size, unpackedSize } = await pack(name, folder);
    console.log(`${tarball}  ${(size / 1e6).toFixed(2)} MB, unpacked ${(unpackedSize / 1e6).toFixed(1)} MB`);
  }
}
