// Builds every package with its types, then copies the files that tsc does not (kernels, fixtures, assets).
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b'], { stdio: 'inherit' });
for (const [from, to] of [
  ['packages/cli/src/assets', 'packages/cli/dist/assets'],
  ['examples/recipes', 'packages/cli/dist/recipes'],
]) {
  rmSync(to, { recursive: true, force: true });
  if (existsSync(from)) cpSync(from, to, { recursive: true });
}

// Node reads the text of a CommonJS package for its names before an ES module may import it: 80 ms for each of TensorFlow.js's. What is
// required is not read for names. Bundlers take the file as tsc wrote it.
for (const name of ['tensorflow', 'tensorflow-layers', 'tensorflow-cpu']) {
  const file = `packages/core/dist/tensor/${name}.js`;
  const code = readFileSync(file, 'utf8');
  const [, names, from] = /export \{([^}]*)\} from '([^']+)'/.exec(code);
  writeFileSync(
    file.replace(/js$/, 'node.js'),
    [
      `import { createRequire } from 'node:module';`,
      `export const {${names}} = createRequire(import.meta.url)('${from}');`,
      '',
    ].join('\n'),
  );
}
