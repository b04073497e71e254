import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { compileFunction } from 'node:vm';

const nodeRequire = createRequire(import.meta.url);

/**
 * Loads CommonJS files of one package with our own idea of what its imports are. tfjs-node asks for
 * `@tensorflow/tfjs`, whose tfjs-core may be a second copy with other `Tensor` classes; here it gets ours, and
 * nothing outside the package's own files is touched.
 */
export function packageRequire(folder: string, provided: Readonly<Record<string, unknown>>): (path: string) => unknown {
  const loaded = new Map<string, { exports: unknown }>();
  const load = (file: string): unknown => {
    const known = loaded.get(file);
    if (known) return known.exports;
    const module = { exports: {} };
    loaded.set(file, module);
    const run = compileFunction(
      readFileSync(file, 'utf8'),
      ['module', 'exports', 'require', '__filename', '__dirname'],
      { filename: file },
    ) as (...scope: unknown[]) => void;
    run(module, module.exports, (request: string) => requireFrom(file, request), file, dirname(file));
    return module.exports;
  };
  const requireFrom = (file: string, request: string): unknown => {
    if (request in provided) return provided[request];
    if (request.startsWith('.'))
      return load(resolve(dirname(file), request.endsWith('.js') ? request : `${request}.js`));
    return nodeRequire(request);
  };
  return (path) => load(join(folder, path));
}
