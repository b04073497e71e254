// Runs the commands of every example's README, as a reader would: `npm run examples [name ...]`.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('.', import.meta.url));
const chosen = process.argv.slice(2);
/** Take many minutes, or need a data set: run only when named. */
const long = ['figures', 'fashion-mnist-full'];
const names = readdirSync(home).filter(
  (name) =>
    existsSync(join(home, name, 'README.md')) && (chosen.length === 0 ? !long.includes(name) : chosen.includes(name)),
);
const env = {
  ...process.env,
  NO_COLOR: '1',
  PATH: `${join(home, '../node_modules/.bin')}${delimiter}${process.env.PATH}`,
};

/** Lines of the `sh` blocks of a README. */
const commandsOf = (readme) =>
  [...readme.matchAll(/^```sh\n([^]*?)^```/gm)].flatMap(([, block]) =>
    block.split('\n').filter((line) => line && !line.startsWith('#')),
  );

let failed = 0;
for (const name of names) {
  const cwd = join(home, name);
  for (const made of ['runs', 'data', 'images', 'site', 'result.json'])
    rmSync(join(cwd, made), { recursive: true, force: true });
  const began = Date.now();
  for (const command of commandsOf(readFileSync(join(cwd, 'README.md'), 'utf8'))) {
    console.log(`\n${name}$ ${command}`);
    // npx would look the package up first; what it runs lies in node_modules/.bin
    const { status } = spawnSync('bash', ['-c', command.replace(/^npx /, '')], { cwd, env, stdio: 'inherit' });
    if (status === 0) continue;
    console.error(`${name}: failed with ${status}: ${command}`);
    failed++;
    break;
  }
  console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(0)}s`);
}
console.log(`\n${names.length - failed} of ${names.length} examples ran`);
process.exitCode = names.length === 0 || failed > 0 ? 1 : 0;
