// Packs all packages as they are published: npm run pack [-- folder]. Each is copied first, so that the working tree stays as it is.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { carryTfjs } from './carry-tfjs.mjs';

const npm = (cwd, ...args) => {
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', ...args], { cwd, encoding: 'utf8' }));
  return packed;
};

/** Packs one package into `folder`. Returns its tarball, its files and its size. */
export function pack(name, folder) {
  const home = resolve('packages', name);
  const copy = mkdtempSync(join(tmpdir(), `bulwark-pack-`));
  try {
    for (const { path } of npm(home, '--dry-run').files) {
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      cpSync(join(home, path), join(copy, path));
    }
    carryTfjs(copy);
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
    const { tarball, size, unpackedSize } = pack(name, folder);
    console.log(`${tarball}  ${(size / 1e6).toFixed(2)} MB, unpacked ${(unpackedSize / 1e6).toFixed(1)} MB`);
  }
}
