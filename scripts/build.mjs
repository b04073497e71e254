// Builds every package with its types, then copies the files that tsc does not (kernels, fixtures, assets).
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';

execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b'], { stdio: 'inherit' });
for (const [from, to] of [
  ['packages/cli/src/assets', 'packages/cli/dist/assets'],
  ['examples/recipes', 'packages/cli/dist/recipes'],
]) {
  rmSync(to, { recursive: true, force: true });
  if (existsSync(from)) cpSync(from, to, { recursive: true });
}
