import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import * as authorApi from './index.js';

const source = dirname(fileURLToPath(import.meta.url));
const { exports } = JSON.parse(readFileSync(join(source, '../package.json'), 'utf8')) as {
  exports: Record<string, { types: string; default: string }>;
};

/** Modules that importing `file` loads, itself among them. */
function loadedBy(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, from] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export) (?!type\b)(?:[^'"]*? from )?'(\.[^']+)'/gm,
  ))
    loadedBy(join(dirname(file), from!.replace(/\.js$/, '.ts')), found);
  return found;
}

describe('the doors of core', () => {
  it('lead to files that are there', () => {
    for (const { types, default: module } of Object.values(exports)) {
      const file = module.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts');
      expect(existsSync(join(source, file))).toBe(true);
      expect(types).toBe(module.replace(/\.js$/, '.d.ts'));
    }
  });

  it('at the front has what authors use, and not more than they can survey', () => {
    expect(Object.keys(authorApi).length).toBeLessThanOrEqual(90);
    expect(authorApi).toMatchObject({
      defineObjective: expect.any(Function) as unknown,
      crossEntropy: expect.any(Function) as unknown,
      startRun: expect.any(Function) as unknown,
    });
  });

  it('at the front lets tensors be made before an engine is chosen', () => {
    const program = `import { createRandom } from '@bulwark/core'; console.log(createRandom(1, 'x').uniform([2]).shape);`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: source,
      encoding: 'utf8',
    });
    expect(stdout).toBe('[ 2 ]\n');
  });

  it('at the front loads no trainer, evaluation, run, installer or engine', () => {
    const rooms = new Set([...loadedBy(join(source, 'index.ts'))].map((file) => file.slice(source.length + 1)));
    expect(rooms).toContain('loss/index.ts');
    const heavy = [...rooms].filter(
      (file) =>
        /^(trainer|evaluation|analysis|formats|files|run)\//.test(file) ||
        /^engine\/(install|wasm|cpu|auto|doctor|select|numerics)/.test(file),
    );
    expect(heavy).toEqual([]);
  });
});
