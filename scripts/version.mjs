// Sets one version everywhere and dates the changelog:  node scripts/version.mjs 0.2.0
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const version = process.argv[2];
if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version ?? '')) {
  console.error('usage: node scripts/version.mjs <major.minor.patch>');
  process.exit(2);
}
const manifests = [
  'package.json',
  'examples/package.json',
  ...readdirSync('packages').map((name) => `packages/${name}/package.json`),
];
for (const path of manifests) {
  const text = readFileSync(path, 'utf8')
    .replace(/^(\s*"version": )"[^"]+"/m, `$1"${version}"`)
    .replace(/("@bulwark\/[\w-]+": )"[^"]+"/g, `$1"${version}"`);
  writeFileSync(path, text);
}
const changelog = readFileSync('CHANGELOG.md', 'utf8');
const today = new Date().toISOString().slice(0, 10);
writeFileSync('CHANGELOG.md', changelog.replace('## Unreleased\n', `## Unreleased\n\n## ${version} (${today})\n`));
console.log(`${version}: ${manifests.join(', ')}, CHANGELOG.md`);
