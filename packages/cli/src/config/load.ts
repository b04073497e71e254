import { dirname, extname, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { readIfThere, textOf } from '@bulwark/core/files';
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

/** A config is written by hand; one of 500 MB is something else. */
const largestConfig = 16 * 2 ** 20;
const deepest = 100;

function readContent(path: string): Buffer {
  let content: Buffer | undefined;
  try {
    content = readIfThere(path, largestConfig);
  } catch (cause) {
    throw new BulwarkError('CONFIG_PARSE', `${path} cannot be read: ${(cause as Error).message}`, {
      hint: 'check the file and its permissions',
      cause,
    });
  }
  if (content) return content;
  throw new BulwarkError('CONFIG_PARSE', `config ${path} does not exist`, {
    hint: '`bulwark init` writes a starter config',
  });
}

/** Values within values, as far as anybody writes them; keys that JavaScript would take for something else are refused. */
function checkForm(value: unknown, depth = 0): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > deepest) throw new Error(`more than ${deepest} values within each other`);
  if (Object.hasOwn(value, '__proto__')) throw new Error('a key called __proto__');
  for (const part of Object.values(value)) checkForm(part, depth + 1);
}

/** Merge keys (`<<: *base`) are no part of YAML 1.2, but of most people's YAML. */
export const yamlForm = { merge: true } as const;

async function read(path: string): Promise<Json> {
  const content = readContent(path);
  try {
    switch (extname(path).toLowerCase()) {
      case '.yaml':
      case '.yml': {
        const value: unknown = parseYaml(textOf(content), yamlForm);
        checkForm(value);
        return value as Json;
      }
      case '.json': {
        const value: unknown = JSON.parse(textOf(content));
        checkForm(value);
        return value as Json;
      }
      case '.ts':
      case '.js':
      case '.mjs': {
        const exported = await importUserModule(path);
        return (exported['config'] ?? exported['default']) as Json;
      }
    }
  } catch (cause) {
    throw new BulwarkError('CONFIG_PARSE', `${path} does not parse: ${(cause as Error).message}`, {
      hint: 'mend the syntax at the place named',
      cause,
    });
  }
  throw new BulwarkError('CONFIG_PARSE', `${path} has an unknown ending`, { hint: `use one of ${formats}` });
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
    const below = Object.hasOwn(result, key) ? result[key] : undefined;
    if (value === null) delete result[key];
    else if (isSection(value) && isSection(below) && samePlugin(value, below)) result[key] = layOver(below, value);
    else result[key] = value;
  }
  return result;
}

const longestChain = 100;

/** A config with its bases; each file is read once, however many configs extend it. */
async function readChain(path: string, seen: readonly string[], known: Map<string, Json>): Promise<Json> {
  const before = known.get(path);
  if (before) return before;
  if (seen.length > longestChain)
    throw new BulwarkError('CONFIG_EXTENDS', `more than ${longestChain} configs extend each other, down to ${path}`, {
      hint: 'write them as fewer files',
    });
  if (seen.includes(path))
    throw new BulwarkError('CONFIG_EXTENDS', `configs extend each other in a circle: ${[...seen, path].join(' -> ')}`, {
      hint: 'remove one extends',
    });
  const own = await read(path);
  if (!isSection(own))
    throw new BulwarkError('CONFIG_PARSE', `${path} holds no config object`, {
      hint: 'write at least data, model, threat, objective and epochs; `bulwark init` writes a config that runs',
    });
  const { extends: base, ...rest } = own;
  const bases = base === undefined ? [] : [base].flat();
  if (!bases.every((name) => typeof name === 'string'))
    throw new BulwarkError('CONFIG_EXTENDS', `extends in ${path} is ${JSON.stringify(base)}`, {
      hint: 'name one file, or a list of files of which the later lie over the earlier',
    });
  let below: Json = {};
  for (const name of bases)
    below = layOver(below, await readChain(resolve(dirname(path), name), [...seen, path], known));
  const whole = layOver(below, rest);
  known.set(path, whole);
  return whole;
}

/** Reads a config file in YAML, JSON, TypeScript or JavaScript, with its bases. */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  const absolute = resolve(path);
  return { input: await readChain(absolute, [], new Map()), baseFolder: dirname(absolute) };
}
