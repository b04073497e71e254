import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { createJiti } from 'jiti';
import { parse as parseYaml } from 'yaml';

type Json = Record<string, unknown>;

/** A config as written, with its `extends` chain laid together. */
export interface LoadedConfig {
  readonly input: Json;
  /** Folder of the outermost file: relative paths in the config refer to it. */
  readonly baseFolder: string;
}

/** TypeScript and JavaScript modules of users: configs and plugins. */
export const importUserModule = (path: string): Promise<Json> =>
  createJiti(import.meta.url, { interopDefault: false }).import<Json>(path);

const formats = '.yaml, .yml, .json, .ts, .js, .mjs';

async function read(path: string): Promise<Json> {
  if (!existsSync(path))
    throw new BulwarkError('CONFIG_PARSE', `config ${path} does not exist`, {
      cure: '`bulwark init` writes a starter config',
    });
  try {
    switch (extname(path)) {
      case '.yaml':
      case '.yml':
        return parseYaml(readFileSync(path, 'utf8')) as Json;
      case '.json':
        return JSON.parse(readFileSync(path, 'utf8')) as Json;
      case '.ts':
      case '.js':
      case '.mjs': {
        const exported = await importUserModule(path);
        return (exported['config'] ?? exported['default']) as Json;
      }
    }
  } catch (cause) {
    throw new BulwarkError('CONFIG_PARSE', `${path} does not parse: ${(cause as Error).message}`, {
      cure: 'mend the syntax at the place named',
      cause,
    });
  }
  throw new BulwarkError('CONFIG_PARSE', `${path} has an unknown ending`, { cure: `use one of ${formats}` });
}

const isSection = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Options of one plugin mean nothing to another; a section that names none only adds options. */
const samePlugin = (over: Json, below: Json) =>
  over['use'] === undefined || below['use'] === undefined || over['use'] === below['use'];

/**
 * Lays `over` on `base`, key by key. A section that names another plugin replaces the base's section. `null` removes a key.
 */
export function layOver(base: Json, over: Json): Json {
  const result: Json = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    if (value === null) delete result[key];
    else if (isSection(value) && isSection(below) && samePlugin(value, below)) result[key] = layOver(below, value);
    else result[key] = value;
  }
  return result;
}

async function readChain(path: string, seen: readonly string[]): Promise<Json> {
  if (seen.includes(path))
    throw new BulwarkError('CONFIG_EXTENDS', `configs extend each other in a circle: ${[...seen, path].join(' -> ')}`, {
      cure: 'remove one extends',
    });
  const own = await read(path);
  if (!isSection(own))
    throw new BulwarkError('CONFIG_PARSE', `${path} holds no config object`, {
      cure: 'write keys such as data, model and objective',
    });
  const { extends: base, ...rest } = own;
  const bases = base === undefined ? [] : [base].flat();
  if (!bases.every((name) => typeof name === 'string'))
    throw new BulwarkError('CONFIG_EXTENDS', `extends in ${path} is ${JSON.stringify(base)}`, {
      cure: 'name one file, or a list of files of which the later lie over the earlier',
    });
  let below: Json = {};
  for (const name of bases) below = layOver(below, await readChain(resolve(dirname(path), name), [...seen, path]));
  return layOver(below, rest);
}

/** Reads a config file in YAML, JSON, TypeScript or JavaScript, with its bases. */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  const absolute = resolve(path);
  return { input: await readChain(absolute, []), baseFolder: dirname(absolute) };
}
