import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { isTemporary, readIfThere, readRegularFile, writeAtomically } from './index.js';

const folder = fs.mkdtempSync(join(tmpdir(), 'bulwark-files-'));
const at = (name: string) => join(folder, name);

describe('reading a file', () => {
  it('gives its bytes', () => {
    fs.writeFileSync(at('text'), 'some bytes');
    expect(readRegularFile(at('text')).toString()).toBe('some bytes');
  });

  it('never waits for a pipe, nor reads a device or a folder', () => {
    expect(spawnSync('mkfifo', [at('pipe')]).status).toBe(0);
    expect(() => readRegularFile(at('pipe'))).toThrow(`${at('pipe')} is a pipe, not a file`);
    expect(() => readRegularFile('/dev/zero')).toThrow('is a device, not a file');
    expect(() => readRegularFile(folder)).toThrow('is a folder, not a file');
  });

  it('refuses a file that is too large before it reads it', () => {
    fs.writeFileSync(at('large'), '');
    fs.truncateSync(at('large'), 2 ** 33);
    expect(() => readRegularFile(at('large'))).toThrow(`has ${2 ** 33} bytes; allowed are ${2 ** 32 - 1}`);
    expect(() => readRegularFile(at('text'), 5)).toThrow('has 10 bytes; allowed are 5');
  });

  it('tells a file that is not there from one that cannot be read', () => {
    expect(readIfThere(at('nothing'))).toBeUndefined();
    expect(readIfThere(join(at('text'), 'below'))).toBeUndefined();
    expect(() => readIfThere(folder)).toThrow('is a folder');
  });
});

describe('writing a file', () => {
  it('replaces the old one whole, keeps its mode, and leaves nothing else', () => {
    const inside = at('inside');
    writeAtomically(join(inside, 'file'), 'one');
    fs.chmodSync(join(inside, 'file'), 0o640);
    writeAtomically(join(inside, 'file'), Buffer.from('two'));
    expect(fs.readFileSync(join(inside, 'file'), 'utf8')).toBe('two');
    expect(fs.statSync(join(inside, 'file')).mode & 0o777).toBe(0o640);
    expect(fs.readdirSync(inside)).toEqual(['file']);
  });

  it('writes to where a link leads', () => {
    writeAtomically(at('target'), 'old');
    fs.symlinkSync(at('target'), at('link'));
    writeAtomically(at('link'), 'new');
    expect(fs.readFileSync(at('target'), 'utf8')).toBe('new');
    expect(fs.lstatSync(at('link')).isSymbolicLink()).toBe(true);
  });

  it('writes to a device as it is', () => {
    writeAtomically('/dev/null', 'gone');
    expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it.each([
    ['a path through a file', () => join(at('text'), 'below'), 'EEXIST', 'choose a path whose folders are folders'],
    ['a folder', () => folder, 'EISDIR', 'choose a name that no folder has'],
    ['a name that is too long', () => at('x'.repeat(250)), 'ENAMETOOLONG', 'choose a shorter name'],
  ])('says what is wrong with %s, and leaves nothing behind', (_name, path, code, hint) => {
    fs.writeFileSync(at('text'), 'some bytes');
    const before = fs.readdirSync(folder).sort();
    expect(() => writeAtomically(path(), 'text')).toThrow(
      expect.objectContaining({
        code: 'FILE_WRITE',
        hint,
        cause: expect.objectContaining({ code }) as unknown,
      }),
    );
    expect(fs.readdirSync(folder).sort()).toEqual(before);
    expect(fs.readFileSync(at('text'), 'utf8')).toBe('some bytes');
  });

  it('removes what a killed process left of the same file long ago, and nothing else', () => {
    const old = join(folder, 'swept');
    fs.mkdirSync(old);
    const [mine, others, young] = ['f.0123456789ab.tmp', 'g.0123456789ab.tmp', 'f.ba9876543210.tmp'];
    for (const name of [mine, others, young]) fs.writeFileSync(join(old, name), '');
    for (const name of [mine, others]) fs.utimesSync(join(old, name), 1, 1);
    expect([mine, others, young].every(isTemporary)).toBe(true);
    writeAtomically(join(old, 'f'), 'text');
    expect(fs.readdirSync(old).sort()).toEqual(['f', young, others].sort());
  });
});
