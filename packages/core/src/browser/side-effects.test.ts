import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from '@jest/globals';

const home = 'packages/core';
const { sideEffects, exports, imports } = JSON.parse(readFileSync(`${home}/package.json`, 'utf8')) as {
  sideEffects: readonly string[];
  exports: Readonly<Record<string, { default: string }>>;
  imports: Readonly<Record<string, { node: string; default: string }>>;
};
const kept = sideEffects.map((path) => new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\*/g, '[^/]*')}$`));

/** What files of a folder import for what it does alone: bundlers drop that if the package does not say that it does something. */
function importedForEffect(folder: string): { file: string; name: string }[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /\.[tj]s$/.test(file) && !file.endsWith('.test.ts') && !file.includes('node_modules'),
  );
  return files.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/^import '([^']+)';/gm)].map(([, name]) => ({
      file,
      name: name!,
    })),
  );
}

/** Files of core that a name stands for, as they are published. */
function filesOf({ file, name }: { file: string; name: string }): string[] {
  if (name.startsWith('.')) return [`./${join('dist', dirname(file), name)}`];
  if (name.startsWith('#')) return [imports[name]!.node, imports[name]!.default];
  const door = /^@bulwark\/core(\/.*)?$/.exec(name);
  return door ? [exports[`.${door[1] ?? ''}`]!.default] : [];
}

it('bundlers keep what is imported for what it does alone', () => {
  const needed = [...importedForEffect(`${home}/src`), ...importedForEffect('examples/deploy-to-browser/page')];
  const files = [...new Set(needed.flatMap(filesOf))];
  expect(files).toContain('./dist/tensor/layers.js');
  expect(files.filter((path) => !kept.some((pattern) => pattern.test(path)))).toEqual([]);
});
