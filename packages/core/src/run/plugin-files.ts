import { createHash } from 'node:crypto';
import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { resolve as resolvePackage } from 'import-meta-resolve';
import { BulwarkError } from '../errors.js';
import { readRegularFile } from '../files/index.js';

/** A plugin package or file that a config names, as a file on this machine. */
export interface LocatedPlugin {
  /** As the config names it. */
  readonly specifier: string;
  /** The module that is imported: absolute, through links. */
  readonly file: string;
}

const endings = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '/index.ts', '/index.js', '/index.mjs'];

const isFile = (path: string): boolean => {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // not there, not to be looked at, or no path at all
  }
};

/** The file that a path means: with an ending, or the index of a folder. */
const fileAt = (path: string) => endings.map((ending) => path + ending).find(isFile);

const isPath = (specifier: string) => /^\.{1,2}(\/|\\|$)/.test(specifier) || isAbsolute(specifier);

/** The module of an installed package, as Node.js finds it from a folder. */
function packageAt(specifier: string, baseFolder: string): string | undefined {
  try {
    const url = resolvePackage(specifier, pathToFileURL(join(resolve(baseFolder), 'config.json')).href);
    return url.startsWith('file:') ? fileAt(fileURLToPath(url)) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Finds the file of a plugin: a path relative to `baseFolder`, an absolute one, or an installed package. Addresses (`data:`, `https:`,
 * `file:`, `node:`) are none of these.
 * @throws BulwarkError PLUGIN_LOAD
 */
export function locatePlugin(specifier: string, baseFolder: string): LocatedPlugin {
  const path = isPath(specifier);
  if (!path && /^[a-z][a-z\d+.-]*:/i.test(specifier))
    throw new BulwarkError('PLUGIN_LOAD', `plugins: ${brief(specifier)} is an address, which is never loaded`, {
      hint: 'name a file (./my-plugin.ts) or an installed package',
    });
  const file = path ? fileAt(resolve(baseFolder, specifier)) : packageAt(specifier, baseFolder);
  if (file === undefined) {
    const meant = !path && fileAt(resolve(baseFolder, specifier)) !== undefined;
    const cure = meant
      ? `write ./${specifier}: without ./ it names a package`
      : 'install the package beside the config';
    throw new BulwarkError('PLUGIN_LOAD', `plugins: ${brief(specifier)} cannot be found from ${baseFolder}`, {
      hint: path ? 'check the path: it starts from the folder of the config' : cure,
    });
  }
  return { specifier, file: realpathSync(file) };
}

/** Names in messages may come from strangers. */
const brief = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);

/** Code that a plugin consists of, and a fingerprint over all of it. */
export interface PluginCode {
  readonly sha256: string;
  /** The module and every file of the disk that its text names, and so on; not what it imports by package name. */
  readonly files: readonly string[];
}

const mostFiles = 2000;
const mostBytes = 64 * 2 ** 20;

/** Paths in the quotes of a source text, which is where static and dynamic imports, `require` and `new URL` have them. */
const namedIn = (text: string, folder: string): string[] =>
  [...text.matchAll(/(['"`])((?:\.{1,2}\/|\/)[^'"`\n\0]{1,1000})\1/g)].flatMap(([, , path]) => {
    const found = path!.split(/[?#]/)[0]!;
    const written = resolve(folder, found);
    // TypeScript imports the source under the name of what it is compiled to
    return fileAt(written) ?? fileAt(written.replace(/\.([cm]?)js$/, '.$1ts')) ?? [];
  });

/**
 * Reads the code of a plugin: its module and the files that it names by path. The fingerprint holds the place of the module, because what
 * it imports by package name depends on that.
 * @throws BulwarkError PLUGIN_LOAD
 */
export function pluginCode(file: string): PluginCode {
  const contents = new Map<string, Buffer>();
  const waiting = [file];
  let bytes = 0;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const path = realpathSync(next);
    if (contents.has(path)) continue;
    let content: Buffer;
    try {
      content = readRegularFile(path, mostBytes);
    } catch (cause) {
      throw new BulwarkError('PLUGIN_LOAD', `plugins: ${path} cannot be read: ${(cause as Error).message}`, { cause });
    }
    contents.set(path, content);
    bytes += content.length;
    if (contents.size > mostFiles || bytes > mostBytes)
      throw new BulwarkError('PLUGIN_LOAD', `plugins: ${file} consists of more than ${mostFiles} files or 64 MiB`, {
        hint: 'bundle it, or name it on the command line: --plugins',
      });
    waiting.push(...namedIn(content.toString('utf8'), dirname(path)));
  }
  const hash = createHash('sha256').update(file);
  for (const [path, content] of [...contents].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`\0${path}\0${content.length}\0`).update(content);
  return { sha256: hash.digest('hex'), files: [...contents.keys()] };
}
