import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BulwarkError, type InstalledPart } from '@bulwark/core';
import { run } from '@bulwark/core/install';

const here = fileURLToPath(import.meta.url);

const refuse = (message: string, hint: string): BulwarkError => new BulwarkError('ENGINE_INSTALL', message, { hint });

/** Where npm has put this command, and so must put what it shall find. */
interface Place {
  readonly folder: string;
  /** Arguments of `npm install` besides the package. */
  readonly flags: readonly string[];
}

/**
 * The project that this command is installed in, or npm's global folder.
 * @param file a file of this command
 * @throws BulwarkError ENGINE_INSTALL where npm did not install it
 */
export function placeOf(file: string, spec: string): Place {
  const inside = `${sep}node_modules${sep}@bulwark${sep}cli${sep}`;
  const at = file.lastIndexOf(inside);
  if (at < 0)
    throw refuse(
      'this command runs from its repository, where `npm ci` brings all engines',
      'run `npm ci && npm run build` there',
    );
  const folder = file.slice(0, at);
  if (/[\\/](\.pnpm|\.yarn|\.store)[\\/]/.test(file))
    throw refuse(
      'this command was not installed by npm, so npm cannot add to it',
      `add ${spec} with the package manager of this project`,
    );
  const isProject = existsSync(join(folder, 'package.json'));
  return { folder, flags: isProject ? ['--save-exact'] : ['--global'] };
}

/** Adds a package of an engine to where this command is installed, with npm. @throws BulwarkError ENGINE_INSTALL with npm's last lines */
export async function installPackage(
  { name, spec }: { name: string; spec: string },
  { progress }: { progress(line: string): void },
  file = here,
): Promise<InstalledPart> {
  const { folder, flags } = placeOf(file, spec);
  const where = flags.includes('--global') ? "npm's global folder" : folder;
  progress(`getting ${spec} with npm into ${where}`);
  // tfjs-node-gpu's script would fetch a library of its own choice; what an engine needs, its installer gets and checks
  const arguments_ = ['install', ...flags, '--ignore-scripts', '--no-audit', '--no-fund', spec];
  const { code, tail } = await run('npm', arguments_, { cwd: folder, timeoutMs: 30 * 60_000 });
  if (code === 0)
    return { description: spec, folder: join(folder, 'node_modules', '@bulwark', `engine-${name}`), bytes: 0 };
  throw refuse(
    `npm could not install ${spec}:\n${tail}`,
    `check npm's registry, proxy and permissions, then run \`npm install ${flags.join(' ')} ${spec}\` in ${where}`,
  );
}
