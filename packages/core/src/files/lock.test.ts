import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { tryLockFile, type FileLock } from './lock.js';

/** The built module, for processes of their own. `npm test` builds it first. */
const built = new URL('../../dist/files/lock.js', import.meta.url);
const folder = fs.mkdtempSync(join(tmpdir(), 'bulwark-lock-'));
let count = 0;
const fresh = () => join(folder, `lock-${count++}`);

const isHeld = (path: string) => {
  const lock = tryLockFile(path);
  if ('release' in lock) lock.release();
  return !('release' in lock);
};

/** A process that takes the lock and keeps it. */
async function holder(path: string): Promise<ChildProcess> {
  const script = `
    const { tryLockFile } = await import(${JSON.stringify(built.href)});
    console.log('release' in tryLockFile(${JSON.stringify(path)}));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout!, 'data')) as [Buffer];
  expect(said.toString().trim()).toBe('true');
  return child;
}

describe('a lock by a file', () => {
  it('is held by one, and free when it is released, however often', () => {
    const path = fresh();
    const first = tryLockFile(path) as FileLock;
    expect(tryLockFile(path)).toMatchObject({ heldBy: { pid: process.pid, host: hostname() } });
    first.release();
    expect(fs.existsSync(path)).toBe(false);
    const second = tryLockFile(path) as FileLock;
    first.release();
    expect(isHeld(path)).toBe(true);
    second.release();
    expect(isHeld(path)).toBe(false);
  });

  it('of another process is respected and named, and free the moment that it is killed', async () => {
    expect(fs.existsSync(fileURLToPath(built))).toBe(true);
    const path = fresh();
    const child = await holder(path);
    expect(tryLockFile(path)).toMatchObject({ heldBy: { pid: child.pid } });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(fs.existsSync(path)).toBe(true);
    expect(isHeld(path)).toBe(false);
  });

  it('does not believe what a file says: torn, of a process that lives, of before a restart', () => {
    for (const text of ['', '{"pi', 'null', JSON.stringify({ pid: process.ppid, host: hostname(), boot: 'another' })]) {
      const path = fresh();
      fs.writeFileSync(path, text);
      expect(isHeld(path)).toBe(false);
    }
  });

  it('of another machine is respected until it is deleted, of another container of this one the kernel knows', () => {
    const path = fresh();
    fs.writeFileSync(path, JSON.stringify({ pid: 1, host: 'elsewhere', boot: 'another' }));
    expect(tryLockFile(path)).toEqual({ heldBy: { pid: 1, host: 'elsewhere', boot: 'another' } });
    fs.rmSync(path);
    fs.writeFileSync(path, JSON.stringify({ pid: 1, host: 'elsewhere', boot: 'another', job: '/jobs/a' }));
    expect(isHeld(path)).toBe(true);
    process.env['BULWARK_JOB'] = '/jobs/a'; // the same job goes on here: its earlier attempt has ended
    expect(isHeld(path)).toBe(false);
    delete process.env['BULWARK_JOB'];
    const own = tryLockFile(path) as FileLock;
    const owner = JSON.parse(fs.readFileSync(path, 'utf8')) as object;
    own.release();
    fs.writeFileSync(path, JSON.stringify({ ...owner, host: 'a-container' }));
    expect(isHeld(path)).toBe(false);
  });

  it('is no way to write into what someone laid in its place', () => {
    const target = fresh();
    fs.writeFileSync(target, 'precious');
    const link = fresh();
    fs.symlinkSync(target, link);
    expect(() => tryLockFile(link)).toThrow(/ELOOP/);
    const pipe = fresh();
    spawnSync('mkfifo', [pipe]);
    expect(() => tryLockFile(pipe)).toThrow('is not a file');
    expect(fs.readFileSync(target, 'utf8')).toBe('precious');
  });

  it('never has two holders, when processes fight for it and are killed', async () => {
    const path = fresh();
    const script = `
      const { tryLockFile } = await import(${JSON.stringify(built.href)});
      const { openSync, closeSync, rmSync, existsSync } = await import('node:fs');
      const [path, inside] = ${JSON.stringify([path, `${path}.inside`])};
      let [taken, double] = [0, 0];
      while (taken < 300) {
        const lock = tryLockFile(path);
        if (!('release' in lock)) continue;
        taken++;
        try { closeSync(openSync(inside, 'wx')); } catch { double++; }
        rmSync(inside, { force: true });
        lock.release();
      }
      console.log(JSON.stringify({ taken, double }));`;
    const outputs = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let text = '';
        child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
        await once(child, 'close');
        return JSON.parse(text) as unknown;
      }),
    );
    expect(outputs).toEqual(Array(3).fill({ taken: 300, double: 0 }));
  });
});
