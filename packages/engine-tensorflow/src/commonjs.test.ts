import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRequire } from './commonjs.js';

function withPackage<T>(files: Record<string, string>, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-commonjs-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('requiring the files of a package with provided imports', () => {
  it('gives the provided module, not the installed one', () => {
    const files = { 'a.js': "exports.core = require('@tensorflow/tfjs')" };
    const core = {};
    const result = withPackage(files, (folder) => packageRequire(folder, { '@tensorflow/tfjs': core })('a.js'));
    expect((result as { core: unknown }).core).toBe(core);
  });

  it('runs each file once, circles included', () => {
    const files = {
      'a.js': "exports.name = 'a'; exports.b = require('./b')",
      'b.js': "const a = require('./a.js'); exports.seen = a.name; exports.a = a",
    };
    const a = withPackage(files, (folder) => packageRequire(folder, {})('a.js')) as { b: { seen: string; a: unknown } };
    expect(a.b.seen).toBe('a');
    expect(a.b.a).toBe(a);
  });

  it("finds Node's own modules", () => {
    const files = { 'a.js': "module.exports = require('path').join('x', 'y')" };
    expect(withPackage(files, (folder) => packageRequire(folder, {})('a.js'))).toBe(join('x', 'y'));
  });
});
