import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { readBytes } from './files.js';

const folder = mkdtempSync(join(tmpdir(), 'bulwark-hostile-'));
const at = (name: string, content: Uint8Array) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('a compressed file that unpacks to more than its size allows', () => {
  it.each([
    ['gz', (bytes: Uint8Array) => gzipSync(bytes)],
    ['br', (bytes: Uint8Array) => brotliCompressSync(bytes)],
  ])('is refused before the memory is taken: .%s', (ending, compress) => {
    const zeros = compress(new Uint8Array(300 * 2 ** 20));
    expect(() => readBytes(at(`bomb.${ending}`, zeros))).toThrow(/unpack to more than \d+, which is refused/);
    const some = compress(new Uint8Array(200 * 2 ** 20));
    expect(readBytes(at(`large.${ending}`, some)).length).toBe(200 * 2 ** 20);
  });
});

it('a pipe in place of a data file is refused, not waited for', () => {
  const pipe = join(folder, 'pipe.npz');
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
  expect(() => readBytes(pipe)).toThrow('is a pipe, not a file');
});
