/**
 * Writes new projects.
 * @module create-bulwark
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { projectFiles } from './files.js';

export { projectFiles };

const usage = `npm create bulwark@latest <folder>

Writes a project: a config that trains on bundled images, an objective of your own, its test, a README.`;

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A folder's name as npm allows it for a package. */
const packageName = (folder: string): string =>
  basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '')
    .slice(0, 200) || 'my-project';

/** Why a folder cannot be written; undefined if it can. */
function obstacle(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  try {
    return readdirSync(folder).some((name) => name !== '.git') ? `${folder} exists and is not empty` : undefined;
  } catch {
    return `${folder} is a file`;
  }
}

/** Does what the command line says. @returns the exit code */
export function run(args: readonly string[]): number {
  const [target = 'my-project', ...rest] = args;
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage);
    return 0;
  }
  if (rest.length > 0 || target.startsWith('-')) {
    console.error(`error: ${[target, ...rest].join(' ')} is not the name of one folder\n\n${usage}`);
    return 2;
  }
  const folder = resolve(target);
  const why = obstacle(folder);
  if (why !== undefined) {
    console.error(`error: ${why}\n  name another folder`);
    return 2;
  }
  const files = projectFiles({ name: packageName(folder), version });
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  console.log(`wrote ${folder}: ${[...files.keys()].join(', ')}\n`);
  const place = relative(process.cwd(), folder);
  for (const command of [
    ...(place ? [`cd ${place}`] : []),
    'npm install',
    'npm test',
    'npm run train',
    'npm run evaluate',
  ])
    console.log(`  ${command}`);
  return 0;
}
